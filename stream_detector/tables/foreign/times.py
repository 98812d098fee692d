"""Decides how a column of times is written, by the whole column, and makes timestamps of it that the usual reader takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError
from stream_detector.readings import Int64Array
from stream_detector.tables.foreign.date_formats import DateFormat, Dates, FormatError, from_strptime, parse, usual
from stream_detector.timestamps import MAXIMUM_TIME_MS

#: Numbers of a unit that is named, and their nanoseconds; days of a spreadsheet count from 1899-12-30.
UNITS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1, "excel": 86_400 * 10**9}
_EXCEL_1970 = 25_569
_ISO = r"^\d{4}-\d{1,2}-\d{1,2}([T ]|$)"
_NUMBER = r"^[+-]?\d+([.,]\d*)?([eE][+-]?\d{1,3})?$"
_ORDERED = r"^\d{1,2}\s*([./-])\s*\d{1,2}\s*[./-]\s*(\d{4}|\d{2})([^\d].*)?$"
_EXAMPLE = "--time-format '%d/%m/%Y %H:%M:%S'"
#: One order of day and month is right if the times move by so much less in it: a wrong one jumps by months at midnight.
_CALMER = 5


def normal_times(path: Path, column: pa.ChunkedArray, time_format: str | None) -> tuple[pa.ChunkedArray, str]:
    """Return the column as timestamps, numbers or ISO 8601 text, and how it was read.

    Raises InputDataError with the data row, or if day and month cannot be told apart.
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return (
            (_of_unit(path, column, time_format), f"numbers ({time_format})")
            if time_format in UNITS
            else (column, "timestamps")
        )
    texts = pc.utf8_trim_whitespace(column.combine_chunks().cast(pa.string()))
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if time_format in UNITS:
        return _of_unit(path, pa.chunked_array([texts]), time_format), f"numbers ({time_format})"
    if time_format is not None:
        try:
            return _in_format(path, texts, from_strptime(time_format))
        except FormatError as error:
            msg = f"--time-format {error}"
            raise InputDataError(msg) from None
    if _all(texts, _ISO):
        return pa.chunked_array([texts]), "ISO 8601"
    if _all(texts, _NUMBER):
        return pa.chunked_array([pc.replace_substring(texts, ",", ".")]), "numbers since 1970, their unit by their size"
    return _in_format(path, texts, *_candidates(texts))


def _all(texts: pa.StringArray, pattern: str) -> bool:
    return all(pc.all(pc.match_substring_regex(part, pattern)).as_py() for part in (texts.slice(0, 8), texts))


def _candidates(texts: pa.StringArray) -> list[DateFormat]:
    """Return the formats that the first times may have; the order of day and month is decided later."""
    first = next((text for text in texts.slice(0, 1000).to_pylist() if text), "")
    for separator in (".", "/", "-", " "):
        if separator in first:
            formats = [usual("dby", separator), usual("bdy", separator), usual("ymd", separator), usual("dmy", separator)]
            if separator != ".":
                formats.append(usual("mdy", separator))
            digits = pa.array([first])
            fitting = [one for one in formats if parse(digits, one).is_valid.any() or _fits(digits, one)]
            if fitting:
                return _starting_with_year(first, fitting)
    return []


def _fits(texts: pa.StringArray, form: DateFormat) -> bool:
    return bool(pc.match_substring_regex(texts, form.pattern)[0].as_py())


def _starting_with_year(first: str, formats: list[DateFormat]) -> list[DateFormat]:
    """Leave the formats with the year in front for those texts that begin with four digits, and for no others."""
    begins = first[:4].isdigit()
    return [one for one in formats if one.shown.startswith("year") == begins]


def _in_format(path: Path, texts: pa.StringArray, *formats: DateFormat) -> tuple[pa.ChunkedArray, str]:
    tried = [(form, parse(texts, form)) for form in formats]
    fitting = [(form, dates) for form, dates in tried if dates.is_valid.all()]
    if not fitting:
        raise InputDataError(_misfit(path, texts, tried))
    form, dates, why = _decide(path, texts, fitting)
    unzoned = int((~dates.has_zone).sum())
    if 0 < unzoned < len(texts):
        row = int((~dates.has_zone).argmax())
        msg = f"{path}: data row {row + 1}: time {texts[row]} has no zone, others have one: write all times alike"
        raise InputDataError(msg)
    if np.abs(dates.ns).max(initial=0) > MAXIMUM_TIME_MS * 1_000_000:
        msg = (
            f"{path}: data row {int(np.abs(dates.ns).argmax()) + 1}: time {texts[int(np.abs(dates.ns).argmax())]} is after 2100"
        )
        raise InputDataError(msg)
    zone = "UTC" if not unzoned else None
    return pa.chunked_array([pa.array(dates.ns, pa.timestamp("ns", zone))]), f"{form.shown}{why} ({texts[0]})"


def _decide(path: Path, texts: pa.StringArray, fitting: list[tuple[DateFormat, Dates]]) -> tuple[DateFormat, Dates, str]:
    """Choose between day first and month first by the course of the times. Raises InputDataError if that does not tell."""
    if len(fitting) == 1:
        return (*fitting[0], "")
    if all((dates.ns == fitting[0][1].ns).all() for _, dates in fitting):
        return (*fitting[0], "")
    moved = [_movement(dates.ns) for _, dates in fitting]
    order = np.argsort(moved)
    if moved[order[0]] * _CALMER < moved[order[1]]:
        return (*fitting[int(order[0])], ", by the order of the rows")
    row = int((fitting[0][1].ns != fitting[1][1].ns).argmax())
    msg = (
        f"{path}: data row {row + 1}: {texts[row].as_py()!r} may have the day or the month first, and no row tells which: "
        f"say it with --time-format, such as {_EXAMPLE} or '%m/%d/%Y %H:%M:%S'"
    )
    raise InputDataError(msg)


def _movement(ns: Int64Array) -> float:
    return float(np.abs(np.diff(ns.astype(np.float64))).sum())


def _misfit(path: Path, texts: pa.StringArray, tried: list[tuple[DateFormat, Dates]]) -> str:
    """Say which row is in no format, or which two rows speak for different ones."""
    if not tried:
        row = next((at for at, text in enumerate(texts.to_pylist()) if text), 0)
        return f"{path}: data row {row + 1}: {texts[row].as_py()!r} is not a known form of time: name it with {_EXAMPLE}"
    firsts = [int((~dates.is_valid).argmax()) for _, dates in tried]
    if len(tried) > 1 and len(set(firsts)) > 1 and all(_fits(texts.slice(row, 1), tried[0][0]) for row in firsts):
        one, other = sorted(firsts)[-2:]
        return (
            f"{path}: data row {one + 1} ({texts[one].as_py()!r}) and data row {other + 1} ({texts[other].as_py()!r}) have day "
            f"and month in different orders: write all times alike"
        )
    row = max(firsts)
    shown = texts[row].as_py()
    if not shown:
        return f"{path}: data row {row + 1} has no time: give it one, or delete the row"
    form = tried[firsts.index(row)][0].shown
    return f"{path}: data row {row + 1}: {shown!r} is not a time as {form}: mend it, or name the form with {_EXAMPLE}"


def _of_unit(path: Path, column: pa.ChunkedArray, unit: str) -> pa.ChunkedArray:
    """Return numbers of a unit that the user names as timestamps; a spreadsheet's days are local times."""
    try:
        if unit != "excel" and (pa.types.is_integer(column.type) or _all_whole(column)):
            ns = column.cast(pa.int64()).to_numpy() * UNITS[unit]
        else:
            text = column if not pa.types.is_string(column.type) else pc.replace_substring(column, ",", ".")
            numbers = text.cast(pa.float64()).to_numpy() - (_EXCEL_1970 if unit == "excel" else 0)
            whole = np.floor(numbers)
            ns = whole.astype(np.int64) * UNITS[unit] + np.round((numbers - whole) * UNITS[unit] / 1000).astype(np.int64) * 1000
            if unit == "excel":  # a day in a double is exact to some microseconds
                ns = np.round(ns / 1_000_000).astype(np.int64) * 1_000_000
    except pa.ArrowInvalid as error:
        msg = f"{path}: --time-format {unit}: the times are not all numbers ({str(error).splitlines()[0]})"
        raise InputDataError(msg) from None
    return pa.chunked_array([pa.array(ns, pa.timestamp("ns", None if unit == "excel" else "UTC"))])


def _all_whole(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) and pc.all(pc.match_substring_regex(column, r"^[+-]?\d{1,18}$")).as_py())
