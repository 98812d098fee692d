"""Reads one CSV or Parquet file into column arrays, or raises an InputDataError that locates the error.

Does not know what the readings are for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.readings import Float64Array, Int32Array, Int64Array
from stream_detector.state.known_sensors import ONLY_SENSOR
from stream_detector.tables.columns import SENSOR_COLUMN, TIME_COLUMN, Selection, check_names
from stream_detector.tables.csv_table import read_csv
from stream_detector.tables.lost_cells import Cells, LostCells, together
from stream_detector.tables.number_column import Column, read_numbers
from stream_detector.tables.time_checks import check_resolution, in_utc, stray_dates, zone_hint
from stream_detector.tables.time_column import read_times


@dataclass(frozen=True, slots=True)
class Table:
    """The N rows of a file, in file order."""

    path: Path
    features: tuple[str, ...]  # in file order
    sensors: list[str]  # names that `codes` index; empty without a sensor column
    codes: Int32Array  # [N]
    times_ms: Int64Array  # [N]
    columns: Mapping[str, Float64Array]  # by feature, [N] each; NaN = missing
    lost: LostCells  # what stood where a value is missing
    notes: tuple[str, ...]  # sentences on its times
    unread: tuple[str, ...]  # columns that were not read, in file order
    names: tuple[str, ...]  # all columns, in file order


def read_table(
    path: Path,
    ignore: Collection[str] = (),
    features: Collection[str] | None = None,
    parsing: Parsing = USUAL_PARSING,
) -> Table:
    """Read all columns of a file except those in `ignore`; with `features`, only those features that it has.

    `parsing` says which values are missing, and what times without a zone mean. The format is detected from the content,
    not from the name. Raises InputDataError, which counts rows without the header.
    """
    selection = Selection(ignore, features)
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
        table, names = _read_parquet(path, selection)
    elif head.startswith(b"\x1f\x8b") or b"\0" not in head:
        table, names = read_csv(path, selection)
    else:
        msg = f"{path}: neither CSV nor Parquet (it holds binary data)"
        raise InputDataError(msg)
    if not table.num_rows:
        msg = f"{path}: the file has a header but no rows"
        raise InputDataError(msg)
    return to_table(path, table, names, parsing, partial(selection.advice_on_text, kept=table.column_names))


def _read_parquet(path: Path, selection: Selection) -> tuple[pa.Table, list[str]]:
    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        check_names(path, names)
        return file.read(columns=selection.choose(names)), names
    except (pa.ArrowException, OSError) as error:
        msg = f"{path}: a damaged Parquet file: {str(error).splitlines()[0]}"
        raise InputDataError(msg) from None


def to_table(path: Path, table: pa.Table, names: list[str], parsing: Parsing, advice: Callable[[str], str]) -> Table:
    """Make arrays of the columns of an Arrow table that has a column for the time, perhaps one for the sensor, and features.

    `names` are all columns of the file, `advice` says what to do about a column of text. Raises InputDataError.
    """
    sensors, codes = _sensors(path, table)
    features = tuple(name for name in table.column_names if name not in (TIME_COLUMN, SENSOR_COLUMN))
    columns = {
        name: read_numbers(path, name, table.column(name), parsing.missing.of_feature(name), advice) for name in features
    }
    times = read_times(path, table.column(TIME_COLUMN))
    names_of_codes = sensors or [ONLY_SENSOR]
    times_ms, notes = in_utc(times, codes, parsing)
    notes += zone_hint(times, codes, names_of_codes) if parsing.zone is None else []
    notes += check_resolution(str(path), times, codes) + stray_dates(times_ms, codes, names_of_codes)
    return Table(
        path=path,
        features=features,
        sensors=sensors,
        codes=codes,
        times_ms=times_ms,
        columns={name: column.values for name, column in columns.items()},
        lost=_lost(path, columns, names_of_codes, codes),
        notes=tuple(f"{path}: {note}" for note in notes),
        unread=tuple(name for name in names if name not in table.column_names),
        names=tuple(names),
    )


def _lost(path: Path, columns: Mapping[str, Column], sensors: list[str], codes: Int32Array) -> LostCells:
    """Count what stood where a value is missing, by sensor, feature, reason and text."""
    cells = Cells(path, sensors, list(columns), codes, np.zeros(len(codes), np.int32))
    of_columns = (
        replace(cells, feature_codes=np.full(len(codes), at, np.int32)).lost(column.unusable)
        for at, column in enumerate(columns.values())
        if column.unusable
    )
    return together(of_columns)


def _sensors(path: Path, table: pa.Table) -> tuple[list[str], Int32Array]:
    if SENSOR_COLUMN not in table.column_names:
        return [], np.zeros(table.num_rows, np.int32)
    column = table.column(SENSOR_COLUMN)
    try:
        column = column.cast(pa.int64()) if pa.types.is_floating(column.type) else column
        column = column.cast(pa.string())
    except pa.ArrowException:
        msg = f"{path}: column {SENSOR_COLUMN} holds {column.type}, not names or whole numbers"
        raise InputDataError(msg) from None
    empty = pc.fill_null(pc.equal(column, ""), True).to_numpy()
    if empty.any():
        msg = f"{path}: data row {int(empty.argmax()) + 1} has no {SENSOR_COLUMN}"
        raise InputDataError(msg)
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int32, copy=False)
