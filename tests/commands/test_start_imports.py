"""What a start imports: libraries that take seconds only where they are needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SLOW = ("tensorflow", "keras", "matplotlib", "pyarrow", "scipy")

_BUILT_IN = """
from stream_detector.commands.run_model import without_model
from stream_detector.settings.schema import Settings
from stream_detector.state.record_layout import WindowShape

assert without_model(Settings(), WindowShape(("temperature",), 64)).is_scored
"""


@pytest.mark.parametrize("code", ["import stream_detector.commands.run", _BUILT_IN], ids=["run", "run with the built-in model"])
def test_a_start_without_a_trained_model_imports_nothing_that_only_training_or_a_network_needs(code: str) -> None:
    program = f"import sys\n{code}\nprint(*[name for name in {_SLOW!r} if name in sys.modules])"

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert shown.stdout.split() == []
