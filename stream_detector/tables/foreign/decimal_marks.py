"""Decides, by all numbers of a file, whether the comma or the point is the decimal mark, and writes them with a point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError

_BLANKS = r"[\s'\x{a0}\x{202f}]"
#: What only a decimal comma explains: 61,2 0,234 12345,678 1.234,5 and the like; and the same for the point.
_SURE = (
    r"^[+-]?(?:\d+M(?:\d{1,2}|\d{4,})?|M\d+|0+M\d+|\d{4,}M\d+|\d{1,3}(?:O\d{3})+M\d+|\d+M\d+[eE][+-]?\d+"
    r"|\d{1,3}(?:O\d{3}){2,})$"
)
#: What may be a decimal mark or one of thousands: 1,234.
_DOUBTFUL = r"^[+-]?[1-9]\d{0,2}M\d{3}$"
#: A number with this decimal mark, and perhaps with marks of thousands.
_WRITTEN = r"^[+-]?(?:\d{1,3}(?:O\d{3})+|\d+)(?:M\d*)?(?:[eE][+-]?\d{1,3})?$|^[+-]?M\d+$"
_BLANK_CHARACTERS = (" ", "'", "\u00a0", "\u202f")
_GROUPED_BY_BLANKS = rf"^[+-]?\d{{1,3}}(?:{_BLANKS}\d{{3}})*(?:[.,]\d+)?$"
_NUMERIC = r"^[+-]?\d[\d.,]*(?:[eE][+-]?\d{1,3})?$"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The first rows of a column that tell of a mark: for sure, or perhaps; -1: none."""

    comma: int
    point: int
    doubtful_comma: int
    doubtful_point: int


def with_points(path: Path, columns: dict[str, pa.ChunkedArray], mark: str | None) -> tuple[dict[str, pa.ChunkedArray], str]:
    """Return text columns as numbers, or as text whose numbers have a decimal point, and the mark that they had.

    `mark` is what the user says. Columns that are not text stay as they are. Raises InputDataError if a column has both marks,
    or if its numbers can be read in two ways and no other column tells in which.
    """
    texts = {name: column for name, column in columns.items() if pa.types.is_string(column.type)}
    evidence = {name: _evidence(column) for name, column in texts.items()} if mark is None else {}
    marks = dict.fromkeys(texts, mark) if mark else _marks(path, texts, evidence)
    changed = {name: _converted(column, marks[name] or ".") for name, column in texts.items()}
    used = {marks[name] for name in texts if mark or marks[name]}
    shown = "comma" if used == {","} else "point" if used <= {"."} else "comma in some columns, point in others"
    return columns | changed, shown


def _evidence(column: pa.ChunkedArray) -> _Evidence:
    marks = [one for one in ",." if pc.any(pc.match_substring(column, one)).as_py()]
    plain = _without_blanks(column) if marks else column
    sure = {one: _first(plain, _pattern(_SURE, one)) if one in marks else -1 for one in ",."}
    is_open = max(sure.values()) < 0
    doubtful = {one: _first(plain, _pattern(_DOUBTFUL, one)) if one in marks and is_open else -1 for one in ",."}
    return _Evidence(sure[","], sure["."], doubtful[","], doubtful["."])


def _pattern(of: str, mark: str) -> str:
    """Return a pattern for a decimal mark; the other one separates thousands."""
    point = r"\."
    return of.replace("M", "," if mark == "," else point).replace("O", point if mark == "," else ",")


def _first(column: pa.ChunkedArray, pattern: str) -> int:
    """Return the first row that matches, or -1."""
    at = 0
    for chunk in column.chunks:
        found = pc.index(pc.match_substring_regex(chunk, pattern), True).as_py()
        if found >= 0:
            return int(at + found)
        at += len(chunk)
    return -1


def _marks(path: Path, texts: dict[str, pa.ChunkedArray], evidence: dict[str, _Evidence]) -> dict[str, str | None]:
    marks: dict[str, str | None] = {}
    for name, found in evidence.items():
        if found.comma >= 0 and found.point >= 0:
            one, other = sorted((found.comma, found.point))
            msg = (
                f"{path}: column {name} has decimal commas and decimal points: {_cell(texts, name, one)} in data row "
                f"{one + 1}, {_cell(texts, name, other)} in data row {other + 1}. Write all alike, or say --decimal comma or "
                f"--decimal point"
            )
            raise InputDataError(msg)
        marks[name] = "," if found.comma >= 0 else "." if found.point >= 0 else None
    of_file = {one for one in marks.values() if one}
    for name, found in evidence.items():
        row = found.doubtful_comma if found.doubtful_comma >= 0 else found.doubtful_point if "," in of_file else -1
        if marks[name] is None and row >= 0:
            if len(of_file) != 1:
                raise InputDataError(_doubt(path, name, _cell(texts, name, row), row))
            marks[name] = next(iter(of_file))
        elif marks[name] is None and found.doubtful_point >= 0:
            marks[name] = "."  # as numbers with three decimals are usually written
    return marks


def _cell(texts: dict[str, pa.ChunkedArray], name: str, row: int) -> str:
    return repr(texts[name][row].as_py().strip())


def _doubt(path: Path, name: str, shown: str, row: int) -> str:
    return (
        f"{path}: data row {row + 1}, column {name}: {shown} may have a decimal mark or one of thousands, and no other number "
        f"of the file tells which. Say it with --decimal comma or --decimal point"
    )


def _without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers without the blanks and quotes that separate thousands, and all other text as it is."""
    if not any(pc.any(pc.match_substring(column, blank)).as_py() for blank in _BLANK_CHARACTERS):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    joined = pc.replace_substring_regex(trimmed, _BLANKS, "")
    is_number = pc.and_(pc.match_substring_regex(joined, _NUMERIC), pc.match_substring_regex(trimmed, _GROUPED_BY_BLANKS))
    return pc.if_else(is_number, joined, trimmed)


def _converted(column: pa.ChunkedArray, mark: str) -> pa.ChunkedArray:
    """Return a column as numbers if each cell is one or empty, without marks of thousands; otherwise as text with points."""
    thousands = "." if mark == "," else ","
    if not pc.any(pc.match_substring(column, thousands)).as_py():
        points = pc.replace_substring(column, ",", ".") if mark == "," else column
        try:
            return pc.if_else(pc.equal(points, ""), pa.scalar(None, pa.string()), points).cast(pa.float64())
        except pa.ArrowInvalid:
            pass  # some cell is text
    return _rewritten(column, mark)


def _rewritten(column: pa.ChunkedArray, mark: str) -> pa.ChunkedArray:
    plain = _without_blanks(column)
    other = "." if mark == "," else ","
    is_number = pc.match_substring_regex(plain, _pattern(_WRITTEN, mark))
    points = pc.replace_substring(pc.replace_substring(plain, other, ""), mark, ".")
    return pc.if_else(is_number, points, plain)
