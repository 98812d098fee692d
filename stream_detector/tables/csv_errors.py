"""Explains why Arrow rejects a CSV file, and what to do about it. Knows only the first lines of the file."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

_WIDTH_ERROR = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True, slots=True)
class CsvHead:
    """The beginning of a CSV file; the last line may be truncated."""

    lines: tuple[str, ...]  # at least one
    delimiter: str

    def names(self) -> list[str]:
        """Return the column names."""
        return next(csv.reader(self.lines[:1], delimiter=self.delimiter), [])


def explain(error: str, lines_before: int = 0) -> str:
    """Translate an error of Arrow's CSV reader, which counts lines before the header and the header, into the user's terms."""
    if match := _WIDTH_ERROR.search(error):
        return f"data row {int(match[1]) - 1 - lines_before} has {match[3]} cells, the header {match[2]}"
    return error.splitlines()[0]
