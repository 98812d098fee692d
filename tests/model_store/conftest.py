from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def directory(tiny_model_directory: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_model_directory, tmp_path / "model"))
