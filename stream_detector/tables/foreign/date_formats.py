"""Turns formats of dates into patterns, and columns of dates in one format into times, many rows at once."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.readings import BoolArray, Int64Array

_MONTHS = (
    "jan january januar",
    "feb february februar",
    "mar march mär märz mrz maerz",
    "apr april",
    "may mai",
    "jun june juni",
    "jul july juli",
    "aug august",
    "sep sept september",
    "oct october okt oktober",
    "nov november",
    "dec december dez dezember",
)
_MONTH_OF = {word: number for number, words in enumerate(_MONTHS, start=1) for word in words.split()}
#: What each directive of a format stands for, as a named group.
_DIRECTIVES = {
    "d": r"(?P<day>\d{1,2})",
    "m": r"(?P<month>\d{1,2})",
    "b": r"(?P<word>\pL{3,9})\.?",
    "B": r"(?P<word>\pL{3,9})\.?",
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<year>\d{2})",
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour>\d{1,2})",
    "M": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?",
    "f": r"(?P<fraction>\d{1,9})",
    "p": r"(?P<half>[AaPp])\.?[Mm]\.?",
    "z": r"(?P<zone>Z|z|UTC|GMT|[+-]\d{2}:?\d{2})",
}
_CLOCK = r"(?:[T,]?\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,9}))?)?)?"
_END = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*(?P<zone>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_DAY_MS = 86_400_000


class FormatError(Exception):
    """A format of times that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class DateFormat:
    """A format: a pattern of RE2 with named groups, and how it is said to people."""

    pattern: str
    shown: str


def usual(parts: str, separator: str) -> DateFormat:
    """Return a date of parts in an order, such as dmy, with a clock, which may have seconds, AM or PM, and a zone."""
    groups = {"d": r"(?P<day>\d{1,2})", "m": r"(?P<month>\d{1,2})", "y": r"(?P<year>\d{4}|\d{2})", "b": _DIRECTIVES["b"]}
    between = rf"\s*{re.escape(separator)}\s*" if separator != " " else r"\s+"
    date = between.join(groups[part] for part in parts)
    names = {"d": "day", "m": "month", "b": "month", "y": "year"}
    return DateFormat(f"^{date}{_CLOCK}{_END}$", separator.join(names[part] for part in parts))


def from_strptime(text: str) -> DateFormat:
    """Return a format that is given as for strptime. Raises FormatError for a directive that is not known."""
    pattern, position = "", 0
    for match in re.finditer(r"%(.)", text):
        if match[1] not in _DIRECTIVES:
            msg = f"{text!r}: %{match[1]} is not known; known are {', '.join(f'%{one}' for one in _DIRECTIVES)}"
            raise FormatError(msg)
        pattern += re.escape(text[position : match.start()]) + _DIRECTIVES[match[1]]
        position = match.end()
    if not {"day", "year"} <= set(re.findall(r"\?P<(\w+)>", pattern)):
        msg = f"{text!r} has no day or no year; write it as for strptime, such as '%d.%m.%Y %H:%M:%S'"
        raise FormatError(msg)
    pattern += re.escape(text[position:])
    # "%S.%f" and "%S,%f": the fraction belongs to the seconds already.
    fraction = r"(?:[.,](?P<fraction>\d{1,9}))?"
    for mark in (r"\.", ","):
        pattern = pattern.replace(f"{fraction}{mark}{_DIRECTIVES['f']}", fraction)
    if pattern.count("?P<fraction>") > 1:
        pattern = pattern.replace(fraction, "", 1)
    return DateFormat(f"^{pattern}$", text)


@dataclass(frozen=True, slots=True)
class Dates:
    """Times [N] of a column in one format, in nanoseconds since 1970, and where there is none."""

    ns: Int64Array
    is_valid: BoolArray
    has_zone: BoolArray
    day: Int64Array  # [N] the numbers as they stand there
    month: Int64Array


def parse(texts: pa.StringArray, form: DateFormat) -> Dates:
    """Parse texts [N] that are trimmed. Times without a zone count as UTC."""
    found = pc.extract_regex(texts, form.pattern)
    is_valid = found.is_valid().to_numpy(zero_copy_only=False)
    fields = {field.name: pc.struct_field(found, field.name) for field in found.type}

    def number(name: str, default: int) -> Int64Array:
        if name not in fields:
            return np.full(len(texts), default, np.int64)
        column = fields[name]
        empty = pc.fill_null(pc.equal(column, ""), True)
        filled = pc.if_else(empty, str(default), column)
        return np.asarray(filled.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)

    day, year = number("day", 1), number("year", 1970)
    month = _month_words(fields["word"]) if "word" in fields else number("month", 1)
    year = np.where(year < 100, year + 2000, year)
    hour, minute, second = number("hour", 0), number("minute", 0), number("second", 0)
    half = _texts(fields.get("half"), len(texts))
    hour = np.where((half == "p") & (hour < 12), hour + 12, np.where((half == "a") & (hour == 12), 0, hour))
    is_valid = is_valid & (month >= 1) & (month <= 12) & (hour <= 24) & (minute < 60) & (second < 60)
    first = (year - 1970).astype("M8[Y]").astype("M8[M]") + (np.clip(month, 1, 12) - 1)
    date = first.astype("M8[D]") + (day - 1)
    is_valid &= (date.astype("M8[M]") == first) & (day >= 1)
    seconds = date.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second
    offset, has_zone = _offsets(_texts(fields.get("zone"), len(texts)))
    ns = (seconds - offset) * 1_000_000_000 + _fraction_ns(fields.get("fraction"), len(texts))
    return Dates(ns, np.asarray(is_valid), has_zone, day, month)


def _texts(column: pa.StringArray | None, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """Return a column in small letters, empty where it is absent."""
    if column is None:
        return np.full(count, "", object)
    return np.asarray(pc.utf8_lower(pc.fill_null(column, "")).to_numpy(zero_copy_only=False), object)


def _month_words(column: pa.StringArray) -> Int64Array:
    encoded = pc.utf8_lower(pc.fill_null(column, "")).dictionary_encode()
    numbers = np.array([_MONTH_OF.get(word, 0) for word in encoded.dictionary.to_pylist()] or [0], np.int64)
    return np.asarray(numbers[encoded.indices.to_numpy(zero_copy_only=False)], np.int64)


def _fraction_ns(column: pa.StringArray | None, count: int) -> Int64Array:
    if column is None:
        return np.zeros(count, np.int64)
    padded = pc.utf8_rpad(pc.fill_null(column, ""), 9, "0")
    return np.asarray(padded.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def _offsets(zones: np.ndarray[tuple[int, ...], np.dtype[np.object_]]) -> tuple[Int64Array, BoolArray]:
    """Return the seconds east of UTC, and where a zone is written."""
    words, codes = np.unique(zones.astype(str), return_inverse=True)
    seconds = []
    for word in words.tolist():
        digits = word.lstrip("+-").replace(":", "")
        east = int(digits[:2]) * 3600 + int(digits[2:]) * 60 if digits.isdigit() else 0
        seconds.append(-east if word.startswith("-") else east)
    return np.array(seconds, np.int64)[codes], np.asarray(zones != "", np.bool_)
