"""What is wrong with a CSV file that Arrow refuses, in words that lead to what to do. It knows no file but its first lines."""

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
    """The beginning of a CSV file; its last line may be cut."""

    lines: tuple[str, ...]  # at least one
    delimiter: str

    def names(self) -> list[str]:
        """Return the names of the columns."""
        return next(csv.reader(self.lines[:1], delimiter=self.delimiter), [])

    def cells(self, column: int) -> list[str]:
        """Return what is in a column's rows, but for rows that have nothing there."""
        rows = csv.reader(self.lines[1:], delimiter=self.delimiter)
        return [row[column].strip() for row in rows if len(row) > column and row[column].strip()]


def explain(error: str, head: CsvHead, on_text: Callable[[str], str]) -> str:
    """Put an error of Arrow's CSV reader in the user's terms; its rows count the header as the first.

    `on_text` says what to do with a column of text, by its name.
    """
    if match := _CONVERSION_ERROR.search(error):
        position, value = int(match[1]), match[3].strip()
        row = int(match[2]) - 1 if match[2] else None
        column = head.names()[position]
        where = f"data row {row}, " if row else ""
        if _NUMBER_WITH_COMMA.fullmatch(value):
            advice = "write numbers with a decimal point, not a comma, and with nothing between thousands"
        else:
            advice = _advice(row, head.cells(position), lambda: on_text(column))
        return f"{where}column {column}: {value[:40]!r} is not a number ({advice})"
    if match := _WIDTH_ERROR.search(error):
        return f"data row {int(match[1]) - 1} has {match[3]} cells, the header {match[2]}"
    return error.splitlines()[0]


def _advice(row: int | None, cells: list[str], on_text: Callable[[], str]) -> str:
    """Say what to do with a cell that is no number, by what the others of its column are."""
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
