"""Ways to damage a model directory, and to give the damage its checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stream_detector.model_store.arrays import read_arrays, write_arrays
from stream_detector.model_store.model_directory import MANIFEST

Arrays = dict[str, NDArray[Any]]
INCONSISTENT = r"its files are inconsistent \(.*\); train the model again"


def reseal(directory: Path, name: str, content: bytes) -> None:
    """Write a file and its checksum, as somebody who edits a model by hand, or means harm, would."""
    (directory / name).write_bytes(content)
    manifest = json.loads((directory / MANIFEST).read_bytes())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))


def change_json(directory: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((directory / name).read_bytes())
    change(content)
    reseal(directory, name, json.dumps(content).encode())


def change_arrays(directory: Path, name: str, change: Callable[[Arrays], object]) -> None:
    arrays = read_arrays((directory / name).read_bytes())
    change(arrays)
    reseal(directory, name, write_arrays(arrays))
