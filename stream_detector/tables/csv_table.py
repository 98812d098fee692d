"""Reads a CSV file as an Arrow table: detects compression and delimiter, and names the row of an error."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from stream_detector.errors import InputDataError
from stream_detector.tables.columns import SENSOR_COLUMN, TIME_COLUMN, Selection, check_names
from stream_detector.tables.csv_errors import CsvHead, explain

DELIMITERS = (",", ";", "\t")
_HEAD_BYTES = 65_536


def read_csv(path: Path, selection: Selection) -> tuple[pa.Table, list[str]]:
    """Read the selected columns: times and sensors as text, features as float64, or as text if any cell is no number.

    Return the table and all column names.

    Raises InputDataError.
    """
    head = _head(path)
    names = head.names()
    check_names(path, names)
    kept = selection.choose(names)
    return _parse(path, head, kept), names


def _parse(path: Path, head: CsvHead, kept: list[str]) -> pa.Table:
    """Read features as numbers; if a cell of any is text, read all as text, and make numbers of those that are."""
    texts = dict.fromkeys(kept, pa.string())
    numbers = {name: kind if name in (TIME_COLUMN, SENSOR_COLUMN) else pa.float64() for name, kind in texts.items()}
    try:
        return _read(path, head, numbers)
    except pa.ArrowInvalid:
        pass  # some cell is text
    except OSError as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputDataError(msg) from None
    try:
        # In one thread, because only then does an error name the row.
        table = _read(path, head, texts, arrow_csv.ReadOptions(use_threads=False))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputDataError(f"{path}: {explain(str(error))}") from None
    for position, name in enumerate(table.column_names):
        table = table.set_column(position, name, _as_numbers(table.column(name), numbers[name]))
    return table


def _read(path: Path, head: CsvHead, types: dict[str, pa.DataType], read: arrow_csv.ReadOptions | None = None) -> pa.Table:
    return arrow_csv.read_csv(
        path,
        read_options=read,
        parse_options=arrow_csv.ParseOptions(delimiter=head.delimiter),
        convert_options=arrow_csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )


def _as_numbers(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column of text as numbers if all of its cells are."""
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return column


def _head(path: Path) -> CsvHead:
    """Read the first lines and find the delimiter; decompress a file named .gz."""
    compression = "gzip" if path.suffix == ".gz" else None
    try:
        with pa.input_stream(path, compression=compression) as stream:
            head = stream.read(_HEAD_BYTES)
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The end of the block may cut a character in two; anything else is an error in the file.
        if error.start < len(head) - 4 or len(head) < _HEAD_BYTES:
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
