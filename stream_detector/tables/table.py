"""One CSV or Parquet file as columns of arrays, or an InputDataError that says where it is wrong.

This module knows file formats and how times are written; it does not know what the readings are for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from pyarrow import parquet

from stream_detector.errors import InputDataError
from stream_detector.readings import Float32Array, Float64Array, Int32Array, Int64Array
from stream_detector.tables.csv_errors import CsvHead, explain
from stream_detector.timestamps import EPOCH_MILLISECONDS_FROM, MAXIMUM_TIME_MS, MINIMUM_TIME_MS

SENSOR_COLUMN = "sensor_id"
TIME_COLUMN = "timestamp"
DELIMITERS = (",", ";", "\t")
#: Says what to do with a column of text, by its name.
OnText = Callable[[str], str]
_HAS_ZONE = r":\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$"


@dataclass(frozen=True, slots=True)
class Table:
    """A file's N rows, in its order."""

    path: Path
    features: tuple[str, ...]  # in the file's order
    sensors: list[str]  # names that `codes` index; empty without a column of sensors
    codes: Int32Array  # [N]
    times_ms: Int64Array  # [N]
    columns: Mapping[str, Float32Array]  # by feature, [N] each; NaN = missing
    unread: tuple[str, ...]  # columns that were left out, in the file's order
    names: tuple[str, ...]  # all columns of the file, in its order


def read_table(path: Path, ignore: Collection[str] = (), features: Collection[str] | None = None) -> Table:
    """Read a file, but for the columns in `ignore`; with `features`, of the others only those that are there.

    Its content, not its name, says which format it is. Raises InputDataError, whose rows are counted without the header.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise InputDataError(msg) from None
    if not head:
        msg = f"{path}: the file is empty"
        raise InputDataError(msg)
    if head.startswith(b"PAR1"):
        table, names = _read_parquet(path, ignore, features)
    elif head.startswith(b"\x1f\x8b") or b"\0" not in head:
        table, names = _read_csv(path, ignore, features)
    else:
        msg = f"{path}: neither CSV nor Parquet (it holds binary data)"
        raise InputDataError(msg)
    if not table.num_rows:
        msg = f"{path}: the file has a header but no rows"
        raise InputDataError(msg)
    on_text = partial(_on_text, kept=table.column_names, is_chosen=features is not None)
    return _to_table(path, table, names, on_text)


def _read_csv(path: Path, ignore: Collection[str], features: Collection[str] | None) -> tuple[pa.Table, list[str]]:
    head = _csv_head(path)
    names = head.names()
    _check_names(path, names)
    kept = _choose(names, ignore, features)
    return _parse_csv(path, head, kept, partial(_on_text, kept=kept, is_chosen=features is not None)), names


def _parse_csv(path: Path, head: CsvHead, kept: list[str], on_text: OnText) -> pa.Table:
    types = {name: pa.string() if name in (TIME_COLUMN, SENSOR_COLUMN) else pa.float64() for name in kept}
    parse = arrow_csv.ParseOptions(delimiter=head.delimiter)
    convert = arrow_csv.ConvertOptions(column_types=types, include_columns=kept)
    try:
        return arrow_csv.read_csv(path, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid:
        pass  # read once more in one thread, which alone knows the row
    except OSError as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputDataError(msg) from None
    try:
        return arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(use_threads=False),
            parse_options=parse,
            convert_options=convert,
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise InputDataError(f"{path}: {explain(str(error), head, on_text)}") from None


def _csv_head(path: Path) -> CsvHead:
    """Read the first lines and find the delimiter; a compressed file is read through."""
    compression = "gzip" if path.suffix == ".gz" else None
    try:
        with pa.input_stream(path, compression=compression) as stream:
            head = stream.read(65_536)
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Only a character cut in two by the end of the block is no fault of the file.
        if error.start < len(head) - 4 or len(head) < 65_536:
            msg = f"{path}: neither CSV in UTF-8 nor Parquet (byte {error.start} is not text)"
            raise InputDataError(msg) from None
        text = head[: error.start].decode("utf-8-sig")
    except OSError as error:
        msg = f"{path}: cannot be read as CSV: {error}"
        raise InputDataError(msg) from None
    lines = tuple(text.splitlines())
    if not lines:
        msg = f"{path}: the file is empty"
        raise InputDataError(msg)
    return CsvHead(lines, delimiter=max(DELIMITERS, key=lines[0].count))


def _read_parquet(path: Path, ignore: Collection[str], features: Collection[str] | None) -> tuple[pa.Table, list[str]]:
    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        _check_names(path, names)
        return file.read(columns=_choose(names, ignore, features)), names
    except (pa.ArrowException, OSError) as error:
        msg = f"{path}: a damaged Parquet file: {str(error).splitlines()[0]}"
        raise InputDataError(msg) from None


def _check_names(path: Path, names: list[str]) -> None:
    """Raise InputDataError unless the columns have names, once each, and one is the time."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or "" in names:
        what = f"column {', '.join(repeated)} is there twice" if any(repeated) else "a column has no name"
        msg = f"{path}: {what}"
        raise InputDataError(msg)
    if TIME_COLUMN not in names:
        found = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        msg = (
            f"{path}: no column {TIME_COLUMN!r} (found: {found}); the first line must name the columns: {TIME_COLUMN}, "
            f"{SENSOR_COLUMN} (left out: one sensor), and one for each feature"
        )
        raise InputDataError(msg)


def _choose(names: list[str], ignore: Collection[str], features: Collection[str] | None) -> list[str]:
    """Return the columns to read."""
    wanted = names if features is None else (*features, SENSOR_COLUMN)
    return [name for name in names if name == TIME_COLUMN or (name in wanted and name not in ignore)]


def _on_text(column: str, kept: list[str], *, is_chosen: bool) -> str:
    """Say what to do with a column of text among those that are read; `is_chosen`: it was asked for by its name."""
    if is_chosen:
        return "numbers are needed there; an empty cell is a missing value"
    others = [name for name in kept if name not in (TIME_COLUMN, SENSOR_COLUMN, column)]
    advice = [
        f"if it names the sensors, rename it to {SENSOR_COLUMN}" if SENSOR_COLUMN not in kept else "",
        f"if it says which feature {others[0]} holds (long format), give each feature a column" if len(others) == 1 else "",
        "if it is no feature, leave it out with --ignore-columns",
    ]
    return "; ".join(filter(None, advice))


def _to_table(path: Path, table: pa.Table, names: list[str], on_text: OnText) -> Table:
    sensors, codes = _sensors(path, table)
    features = tuple(name for name in table.column_names if name not in (TIME_COLUMN, SENSOR_COLUMN))
    return Table(
        path=path,
        features=features,
        sensors=sensors,
        codes=codes,
        times_ms=_times_ms(path, table.column(TIME_COLUMN)),
        columns={name: _numbers(path, name, table.column(name), on_text) for name in features},
        unread=tuple(name for name in names if name not in table.column_names),
        names=tuple(names),
    )


def _sensors(path: Path, table: pa.Table) -> tuple[list[str], Int32Array]:
    if SENSOR_COLUMN not in table.column_names:
        return [], np.zeros(table.num_rows, np.int32)
    column = table.column(SENSOR_COLUMN)
    if pa.types.is_floating(column.type) or pa.types.is_nested(column.type):
        msg = f"{path}: column {SENSOR_COLUMN} holds {column.type}, not names"
        raise InputDataError(msg)
    column = column.cast(pa.string())
    empty = pc.fill_null(pc.equal(column, ""), True).to_numpy()
    if empty.any():
        msg = f"{path}: data row {int(empty.argmax()) + 1} has no {SENSOR_COLUMN}"
        raise InputDataError(msg)
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int32, copy=False)


def _numbers(path: Path, name: str, column: pa.ChunkedArray, on_text: OnText) -> Float32Array:
    """Return a feature as float32, null as NaN."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        msg = f"{path}: column {name} holds {kind}, not numbers ({on_text(name)})"
        raise InputDataError(msg)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    with np.errstate(over="ignore"):
        numbers: Float32Array = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float32)
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(infinite.argmax())
        msg = f"{path}: data row {row + 1}, column {name}: the value is infinite or too large"
        raise InputDataError(msg)
    return numbers


def _times_ms(path: Path, column: pa.ChunkedArray) -> Int64Array:
    """Return times as milliseconds since 1970; a time without a zone is UTC."""
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
    """Return milliseconds of numbers that are seconds or, from EPOCH_MILLISECONDS_FROM on, milliseconds; NaN becomes -1."""
    wide = np.nan_to_num(np.asarray(numbers, np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0)
    milliseconds = np.where(wide < EPOCH_MILLISECONDS_FROM, wide * 1000.0, wide)
    return np.clip(np.rint(milliseconds), -1, MAXIMUM_TIME_MS + 1).astype(np.int64)


def _from_text(path: Path, texts: pa.StringArray) -> Int64Array:
    try:
        return _from_numbers(texts)
    except pa.ArrowInvalid:
        pass  # not numbers, so dates
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
    """Return milliseconds of ISO 8601 texts, with and without a zone; raise ArrowInvalid on anything else."""
    zoned = pc.match_substring_regex(texts, _HAS_ZONE).to_numpy(zero_copy_only=False)
    times = np.empty(len(texts), np.int64)
    for here, zone in ((zoned, "UTC"), (~zoned, None)):
        parsed = texts.filter(pa.array(here)).cast(pa.timestamp("ns", zone))
        times[here] = parsed.cast(pa.int64()).to_numpy() // 1_000_000
    return times


def _first_bad(texts: pa.StringArray) -> int:
    """Return the position of the first text that is not a time as the first text is, by bisection; there is one."""
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
