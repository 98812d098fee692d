"""Keeps the result of each case as a JSON file, under a label that says which code and settings it was measured with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import stream_detector
from stream_detector.files import replaced_file
from stream_detector.settings.schema import Settings
from tests.judge.cases import CaseRef

#: Counts up when a result means something else; results of another format are measured again.
FORMAT = 1
#: Folders of the product that no score passes through.
_OUTSIDE = ("adapters/kafka", "adapters/redis", "demo", "pipeline", "service")
_DIGITS = 12

Result = dict[str, Any]
#: By budget, of each kind of the faults of `train` how many were injected and found, and the delay.
Drills = dict[str, list[dict[str, Any]]]


def code_version(settings: Settings, train_options: str, package: Path = Path(stream_detector.__file__).parent) -> str:
    """Return a hash of the product's code, the settings and the options of `train`."""
    content = hashlib.sha256(json.dumps([settings.model_dump(mode="json"), train_options], sort_keys=True).encode())
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(_OUTSIDE):
            content.update(f"\n{name}\n".encode() + path.read_bytes())
    return content.hexdigest()[:_DIGITS]


def save(directory: Path, ref: CaseRef, result: Result) -> None:
    """Write a result; a reader sees all of it or nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    with replaced_file(directory / f"{ref.key}.json") as unfinished:
        unfinished.write_text(json.dumps(result, allow_nan=False) + "\n", encoding="utf-8")


def load(directory: Path, refs: Sequence[CaseRef] | None = None) -> list[Result]:
    """Return the results in a directory, by name; with `refs`, those of these cases only."""
    keys = None if refs is None else {ref.key for ref in refs}
    return [result for key, result in _read(directory) if keys is None or key in keys]


def missing(directory: Path, refs: Sequence[CaseRef]) -> list[CaseRef]:
    """Return the cases without a result, or with an error for one; what takes longest comes first."""
    done = {key for key, result in _read(directory) if not result["error"]}
    return sorted((ref for ref in refs if ref.key not in done), key=lambda ref: -ref.cost)


def other_versions(results: Sequence[Result], version: str) -> set[str]:
    """Return the versions of results that were not measured with the code and settings of now."""
    return {result["version"] for result in results} - {version}


def _read(directory: Path) -> Iterator[tuple[str, Result]]:
    for path in sorted(directory.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["format"] == FORMAT:
            yield path.stem, result
