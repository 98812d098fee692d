"""Explains why Arrow rejects a CSV file, and what to do about it. Knows only the first lines of the file."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

_CONVERSION_ERROR = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?.*invalid value '(.*)'", re.DOTALL)
_WIDTH_ERROR = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_NUMBER_WITH_COMMA = re.compile(r"[+-]?[\d.,' ]*\d,\d[\d.,' ]*([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class CsvHead:
    """The beginning of a CSV file; the last line may be truncated."""

    lines: tuple[str, ...]  # at least one
    delimiter: str

    def names(self) -> list[str]:
        """Return the column names."""
        return next(csv.reader(self.lines[:1], delimiter=self.delimiter), [])

    def cells(self, column: int) -> list[str]:
        """Return the non-empty cells of a column, by its position."""
        rows = csv.reader(self.lines[1:], delimiter=self.delimiter)
        return [row[column].strip() for row in rows if len(row) > column and row[column].strip()]


def explain(error: str, head: CsvHead, on_text: Callable[[str], str]) -> str:
    """Translate an error of Arrow's CSV reader, which counts the header as row 1, into the user's terms.

    `on_text` returns the advice for a text column, by its name.
    """
    if match := _CONVERSION_ERROR.search(error):
        position, value = int(match[1]), match[3].strip()
        row = int(match[2]) - 1 if match[2] else None
        column = head.names()[position]
        where = f"data row {row}, " if row else ""
        if _NUMBER_WITH_COMMA.fullmatch(value):
            advice = "write numbers with a decimal point, not a comma, and without thousands separators"
        else:
            advice = _advice(row, head.cells(position), lambda: on_text(column))
        return f"{where}column {column}: {value[:40]!r} is not a number ({advice})"
    if match := _WIDTH_ERROR.search(error):
        return f"data row {int(match[1]) - 1} has {match[3]} cells, the header {match[2]}"
    return error.splitlines()[0]


def _advice(row: int | None, cells: list[str], on_text: Callable[[], str]) -> str:
    """Return the advice for a cell that is not a number, judging by the other cells of its column."""
    numbers = [_is_number(cell) for cell in cells]
    if not any(numbers):
        return on_text()
    if row == 1 and all(numbers[1:]):
        return "the rows below have numbers there: if this is a row of units, delete it"
    return "leave a cell empty if a value is missing"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
