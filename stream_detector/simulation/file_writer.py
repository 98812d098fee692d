"""Writes a series to a CSV or Parquet file, and its labels to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from stream_detector.errors import InputDataError
from stream_detector.files import replaced_file
from stream_detector.simulation.fleet import FEATURES
from stream_detector.simulation.series import Piece, Series

_ROWS_PER_PIECE = 100_000
_Write = Callable[[pa.Table], None]


def write_files(series: Series, steps: int, output: Path, labels: Path | None) -> int:
    """Write `steps` steps of all sensors, ordered by time; return the number of rows.

    Columns of the output: sensor_id, timestamp, then the features, empty where missing. Columns of the labels: sensor_id,
    timestamp, label (1 = in a fault), fault (its kind, else empty). Each file appears complete or not at all. Raises
    InputDataError.
    """
    with ExitStack() as stack:
        write_output = stack.enter_context(_table_file(output))
        write_labels = stack.enter_context(_table_file(labels)) if labels else None
        left = steps
        while left > 0:
            piece = series.next_piece(min(left, max(_ROWS_PER_PIECE // series.fleet.sensors, 1)))
            left -= len(piece.times_ms)
            write_output(_readings_table(series, piece))
            if write_labels:
                write_labels(_labels_table(series, piece))
    return steps * series.fleet.sensors


def _keys(series: Series, piece: Piece) -> dict[str, pa.Array]:
    """Return sensor and time of all N * S rows, ordered by time."""
    ids = series.fleet.sensor_ids()
    return {
        "sensor_id": pa.array(ids * len(piece.times_ms)),
        "timestamp": pa.array(np.repeat(piece.times_ms, len(ids)), type=pa.timestamp("ms", tz="UTC")),
    }


def _readings_table(series: Series, piece: Piece) -> pa.Table:
    columns = _keys(series, piece)
    for position, feature in enumerate(FEATURES):
        columns[feature] = pa.array(piece.values[:, :, position].T.reshape(-1), from_pandas=True)  # NaN becomes null
    return pa.table(columns)


def _labels_table(series: Series, piece: Piece) -> pa.Table:
    kinds = np.array([*(fault.kind for fault in piece.faults), ""])  # index -1, healthy, selects the last
    fault_of = piece.fault_of.T.reshape(-1)
    columns = _keys(series, piece)
    columns["label"] = pa.array((fault_of >= 0).astype(np.int8))
    columns["fault"] = pa.array(kinds[fault_of])
    return pa.table(columns)


@contextmanager
def _table_file(path: Path) -> Iterator[_Write]:
    """Yield a function that appends tables to a file, which appears at `path` when the block ends without an exception."""
    formats = {".csv": _csv_writer, ".parquet": _parquet_writer}
    if path.suffix.lower() not in formats:
        msg = f"{path}: the name of the file must end in .csv or .parquet"
        raise InputDataError(msg)
    with replaced_file(path) as unfinished, formats[path.suffix.lower()](unfinished) as write:
        yield write


@contextmanager
def _csv_writer(path: Path) -> Iterator[_Write]:
    with path.open("wb") as file, ExitStack() as stack:
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")  # no value here needs quotes
        writers: list[pyarrow.csv.CSVWriter] = []

        def write(table: pa.Table) -> None:
            times = np.datetime_as_string(table["timestamp"].to_numpy(), unit="ms")
            table = table.set_column(1, "timestamp", pa.array(np.char.add(times, "Z")))
            if not writers:
                file.write((",".join(table.column_names) + "\n").encode())
                writers.append(stack.enter_context(pyarrow.csv.CSVWriter(file, table.schema, write_options=options)))
            writers[0].write_table(table)

        yield write


@contextmanager
def _parquet_writer(path: Path) -> Iterator[_Write]:
    with path.open("wb") as file, ExitStack() as stack:
        writers: list[pyarrow.parquet.ParquetWriter] = []

        def write(table: pa.Table) -> None:
            if not writers:
                writers.append(stack.enter_context(pyarrow.parquet.ParquetWriter(file, table.schema)))
            writers[0].write_table(table)

        yield write
