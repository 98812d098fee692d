"""Converts a column of times, in any of the accepted formats, to milliseconds since 1970 by the one parser of times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.times import (
    LEAST_MICROSECONDS,
    LEAST_NANOSECONDS,
    LEAST_SECONDS,
    MICROSECONDS_FROM,
    MILLISECONDS_FROM,
    MOST_SECONDS,
    NANOSECONDS_FROM,
    ROUNDING_MS,
    number_time,
    text_time,
)
from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.tables.columns import TIME_COLUMN
from stream_detector.timestamps import MAXIMUM_TIME_MS, MINIMUM_TIME_MS, iso_time

_HAS_ZONE = r":\d\d(\.\d+)?\s*([Zz]|UTC|GMT|[+-]\d\d:?\d\d)$"
_NUMBER = r"^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?$"
_WHOLE_NUMBER = r"^([0-9]{1,18}|[1-8][0-9]{18})$"
#: If more of the times are in the first years from 1970, none can be trusted; fewer are those of a device that restarted.
_MOSTLY, _FEWEST_ROWS = 0.5, 16
#: Numbers of milliseconds that may be a date and time in 12 or 14 digits.
_DATES = ((1.97e11, 2.1e11), (1.97e13, 2.1e13))
#: The numbers of each unit, and its nanoseconds.
_UNITS = (
    (LEAST_SECONDS, MILLISECONDS_FROM, 10**9),
    (MILLISECONDS_FROM, MICROSECONDS_FROM, 10**6),
    (MICROSECONDS_FROM, NANOSECONDS_FROM, 1000),
    (NANOSECONDS_FROM, np.inf, 1),
)


@dataclass(frozen=True, slots=True)
class Times:
    """Times [N] in milliseconds since 1970. Those without a zone count as UTC."""

    ms: Int64Array
    has_no_zone: BoolArray  # [N] texts and timestamps without a zone
    rest: Int64Array  # [N] what was cut off, in nanoseconds


def read_times(path: Path, column: pa.ChunkedArray) -> Times:
    """Return the times of a column. Raises InputDataError with the data row."""
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()).combine_chunks()) if is_text else None
    absent = column.is_null() if texts is None else pc.fill_null(pc.equal(texts, ""), True)
    if pc.any(absent).as_py():
        row = int(absent.to_numpy(zero_copy_only=False).argmax() if texts is not None else absent.to_numpy().argmax())
        msg = f"{path}: data row {row + 1} has no {TIME_COLUMN}: give it one, or delete the row"
        raise InputDataError(msg)
    if texts is not None:
        times = _from_text(path, texts)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        times = _from_timestamps(column, kind)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        exact = column if pa.types.is_integer(kind) else column.cast(pa.float64(), safe=False)
        times = _from_numbers(path, exact.to_numpy(), np.arange(len(column)))
    else:
        msg = f"{path}: column {TIME_COLUMN} holds {kind}, not times"
        raise InputDataError(msg)
    outside = (times.ms < MINIMUM_TIME_MS) | (times.ms > MAXIMUM_TIME_MS)
    if outside.any():
        row = int(outside.argmax())
        msg = f"{path}: data row {row + 1}: {TIME_COLUMN} {column[row]} is not between 1970 and 2100"
        raise InputDataError(msg)
    if len(times.ms) >= _FEWEST_ROWS and (times.ms < 1000 * LEAST_SECONDS).mean() > _MOSTLY:
        msg = (
            f"{path}: {TIME_COLUMN} is in the first years from 1970 (data row 1: {iso_time(int(times.ms[0]))}). It looks like "
            f"numbers that were read in a wrong unit, or a clock that was never set"
        )
        raise InputDataError(msg)
    return times


def _from_timestamps(column: pa.ChunkedArray, kind: pa.DataType) -> Times:
    zone = getattr(kind, "tz", None)
    ms = column.cast(pa.timestamp("ms", zone), safe=False).cast(pa.int64()).to_numpy()
    per_ms = {"us": 1000, "ns": 1_000_000}.get(getattr(kind, "unit", ""), 1)
    rest = column.cast(pa.int64()).to_numpy() % per_ms * (1_000_000 // per_ms) if per_ms > 1 else np.zeros(len(ms), np.int64)
    return Times(np.asarray(ms, np.int64), np.full(len(ms), zone is None), rest)


def _from_numbers(path: Path, numbers: Int64Array | Float64Array, rows: Int64Array) -> Times:
    """Convert numbers of any unit, as number_time does; `rows` are their data rows."""
    wide = np.asarray(numbers, np.float64)
    is_sure = (wide >= LEAST_SECONDS) & ((wide <= MOST_SECONDS) | (wide >= MILLISECONDS_FROM))
    for least, most in ((MICROSECONDS_FROM, LEAST_MICROSECONDS), (NANOSECONDS_FROM, LEAST_NANOSECONDS), *_DATES):
        is_sure &= (wide < least) | (wide >= most)
    ms, rest = np.zeros(len(wide), np.int64), np.zeros(len(wide), np.int64)
    for least, most, unit in _UNITS:
        here = is_sure & (wide >= least) & (wide < most)
        ms[here], rest[here] = _cut(numbers[here], unit)
    for position in np.flatnonzero(~is_sure).tolist():
        try:
            ms[position] = number_time(numbers[position].item())
        except RejectionError as rejection:
            raise InputDataError(f"{path}: data row {rows[position] + 1}: {rejection.detail}") from None
    return Times(ms, np.zeros(len(ms), np.bool_), rest)


def _cut(numbers: Int64Array | Float64Array, unit: int) -> tuple[Int64Array, Int64Array]:
    """Return milliseconds and the nanoseconds that are cut off of numbers in a unit of so many nanoseconds."""
    if numbers.dtype.kind in "iu":
        per_ms = max(1, 1_000_000 // unit)
        whole = numbers.astype(np.int64)
        return whole * max(1, unit // 1_000_000) // per_ms, whole % per_ms * unit
    with np.errstate(over="ignore", invalid="ignore"):
        exact = numbers * (unit / 1e6) if unit >= 1_000_000 else numbers / (1e6 / unit)
        ms = np.minimum(np.floor(exact + ROUNDING_MS), MAXIMUM_TIME_MS + 1).astype(np.int64)
    rest = (np.clip(exact - ms - ROUNDING_MS, 0, 1) * 1e6).astype(np.int64)
    return ms, rest


def _from_text(path: Path, texts: pa.StringArray) -> Times:
    is_number = pc.match_substring_regex(texts, _NUMBER).to_numpy(zero_copy_only=False)
    count = len(texts)
    ms, rest, has_no_zone = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    rows = np.flatnonzero(is_number)
    if len(rows):
        numbers = texts.take(pa.array(rows))
        is_whole = pc.all(pc.match_substring_regex(numbers, _WHOLE_NUMBER)).as_py()
        found = _from_numbers(path, numbers.cast(pa.int64() if is_whole else pa.float64()).to_numpy(), rows)
        ms[rows], rest[rows] = found.ms, found.rest
    rows = np.flatnonzero(~is_number)
    if len(rows):
        dates = texts.take(pa.array(rows))
        is_zoned = pc.match_substring_regex(dates, _HAS_ZONE).to_numpy(zero_copy_only=False)
        has_no_zone[rows] = ~is_zoned
        ms[rows], rest[rows] = _from_dates(path, dates, is_zoned, rows)
    return Times(ms, has_no_zone, rest)


def _from_dates(path: Path, dates: pa.StringArray, is_zoned: BoolArray, rows: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Convert ISO 8601 texts, with or without a zone, to milliseconds and the nanoseconds that are cut off."""
    times = np.empty(len(dates), np.int64)
    try:
        for here, zone in ((is_zoned, "UTC"), (~is_zoned, None)):
            parsed = dates.filter(pa.array(here)).cast(pa.timestamp("ns", zone))
            times[here] = parsed.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:  # some text is in a form that only the parser of the stream knows, or in none
        for position, text in enumerate(dates.to_pylist()):
            try:
                times[position] = text_time(text, None)[0] * 1_000_000
            except RejectionError as rejection:
                raise InputDataError(f"{path}: data row {rows[position] + 1}: {rejection.detail}") from None
    return times // 1_000_000, times % 1_000_000
