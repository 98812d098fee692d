"""Writes files for these tests and reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stream_detector.tables.foreign.options import FileOptions
from stream_detector.tables.foreign.read import ReadFiles, read_files


def read(path: Path, content: str | bytes, **options: Any) -> ReadFiles:  # noqa: ANN401 - fields of FileOptions
    """Write a file and read it; `options` are those of FileOptions."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_files([path], options=FileOptions(**options))


def notes(files: ReadFiles) -> str:
    """Return all that was said of the files, in one text."""
    about = [*files.files, *([files.joined] if files.joined else [])]
    return "\n".join([text for one in about for text in (*one.facts.values(), *one.notes)] + list(files.dataset.notes))
