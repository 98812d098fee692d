"""Converts a column of times, in any of the accepted formats, to milliseconds since 1970."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.errors import InputDataError
from stream_detector.readings import Float64Array, Int64Array
from stream_detector.tables.columns import TIME_COLUMN
from stream_detector.timestamps import EPOCH_MILLISECONDS_FROM, MAXIMUM_TIME_MS, MINIMUM_TIME_MS

_HAS_ZONE = r":\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$"


def read_times_ms(path: Path, column: pa.ChunkedArray) -> Int64Array:
    """Return times [N] in milliseconds since 1970; a time without a zone is UTC. Raises InputDataError with the data row."""
    absent = pc.fill_null(pc.equal(column, ""), True) if pa.types.is_string(column.type) else column.is_null()
    if pc.any(absent).as_py():
        row = int(absent.to_numpy().argmax())
        msg = f"{path}: data row {row + 1} has no {TIME_COLUMN}"
        raise InputDataError(msg)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        times = column.cast(pa.timestamp("ms", getattr(kind, "tz", None)), safe=False).cast(pa.int64()).to_numpy()
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        times = _from_epoch(column.to_numpy())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        times = _from_text(path, column.combine_chunks())
    else:
        msg = f"{path}: column {TIME_COLUMN} holds {kind}, not times"
        raise InputDataError(msg)
    outside = (times < MINIMUM_TIME_MS) | (times > MAXIMUM_TIME_MS)
    if outside.any():
        row = int(outside.argmax())
        msg = (
            f"{path}: data row {row + 1}: {TIME_COLUMN} {column[row]} is not between 1970 and 2100 (ISO 8601, or epoch s or ms)"
        )
        raise InputDataError(msg)
    return np.asarray(times, np.int64)


def _from_epoch(numbers: Int64Array | Float64Array) -> Int64Array:
    """Convert seconds or, from EPOCH_MILLISECONDS_FROM on, milliseconds to milliseconds; NaN and infinities become -1."""
    wide = np.nan_to_num(np.asarray(numbers, np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0)
    milliseconds = np.where(wide < EPOCH_MILLISECONDS_FROM, wide * 1000.0, wide)
    return np.clip(np.rint(milliseconds), -1, MAXIMUM_TIME_MS + 1).astype(np.int64)


def _from_text(path: Path, texts: pa.StringArray) -> Int64Array:
    try:
        return _from_numbers(texts)
    except pa.ArrowInvalid:
        pass  # not numbers, so ISO 8601
    try:
        return _from_iso(texts)
    except pa.ArrowInvalid:
        row = _first_bad(texts)
        text = str(texts[row])[:40]
        msg = f"{path}: data row {row + 1}: {TIME_COLUMN} {text!r} is neither ISO 8601 nor epoch seconds or milliseconds"
        raise InputDataError(msg) from None


def _from_numbers(texts: pa.StringArray) -> Int64Array:
    return _from_epoch(texts.cast(pa.float64()).to_numpy())


def _is_no_number(text: pa.StringScalar) -> bool:
    try:
        text.cast(pa.float64())
    except pa.ArrowInvalid:
        return True
    return False


def _from_iso(texts: pa.StringArray) -> Int64Array:
    """Convert ISO 8601 texts, with or without a zone, to milliseconds; raise ArrowInvalid on anything else."""
    zoned = pc.match_substring_regex(texts, _HAS_ZONE).to_numpy(zero_copy_only=False)
    times = np.empty(len(texts), np.int64)
    for here, zone in ((zoned, "UTC"), (~zoned, None)):
        parsed = texts.filter(pa.array(here)).cast(pa.timestamp("ns", zone))
        times[here] = parsed.cast(pa.int64()).to_numpy() // 1_000_000
    return times


def _first_bad(texts: pa.StringArray) -> int:
    """Find, by bisection, the first text that is not a time in the format of texts[0]. There must be one."""
    parse = _from_iso if _is_no_number(texts[0]) else _from_numbers
    low, high = 0, len(texts)  # texts[:low] are good, texts[:high] are not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            parse(texts.slice(low, middle - low))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
