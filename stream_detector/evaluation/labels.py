"""Reads the ground truth of a dataset's rows: from a column, from another file, or from a list of events."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.evaluation.event_rows import rows_of_events
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.ingest.times import text_time
from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.state.known_sensors import ONLY_SENSOR
from stream_detector.tables.columns import SENSOR_COLUMN
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.table import Table, read_table
from stream_detector.timestamps import iso_time

_OTHER_SOURCES = "name it with --label-column, or give --labels or --events"


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Which of a dataset's N rows are anomalous, and remarks for the report."""

    labels: BoolArray  # [N]
    source: str  # where the labels come from, for the report
    notes: tuple[str, ...] = ()
    silences: Mapping[str, Int64Array] = field(default_factory=dict)  # by sensor: events without a reading (event_rows.py)


@dataclass(frozen=True, slots=True)
class _Event:
    sensor: str
    start_ms: int
    end_ms: int  # exclusive


def labels_of_column(paths: Sequence[Path], column: str) -> GroundTruth:
    """Read the labels from a column of the dataset's own files, given in the same order.

    Raises InputDataError if a file does not have the column or a row has a value other than 0 and 1.
    """
    return GroundTruth(np.concatenate([_labels(_table(path, column), column) for path in paths]), f"column {column}")


def labels_of_values(values: Float64Array, column: str, where: str) -> GroundTruth:
    """Take the labels [N] from the values of a column that was read with the dataset, for people named `where`.

    Raises InputDataError if a row has a value other than 0 and 1.
    """
    return GroundTruth(_zero_or_one(values, f"{where}: row", column), f"column {column}")


def labels_of_file(path: Path, column: str, dataset: Dataset, parsing: Parsing = USUAL_PARSING) -> GroundTruth:
    """Read the labels from a file with columns sensor_id, timestamp and `column`, matched by sensor and time.

    If a reading has several labels, it is anomalous if any of them is 1. Raises InputDataError if a row of the dataset has
    no label.
    """
    table = _table(path, column, parsing)
    labels = _labels(table, column)
    code_of = {sensor: code for code, sensor in enumerate(dataset.sensors)}
    codes = np.array([code_of.get(sensor, -1) for sensor in table.sensors or [ONLY_SENSOR]], np.int64)[table.codes]
    order = np.lexsort((labels, table.times_ms, codes))
    keys, labels = _keys(codes, table.times_ms)[order], labels[order]
    wanted = _keys(dataset.codes, dataset.times_ms)
    last = np.searchsorted(keys, wanted, side="right") - 1
    absent = (last < 0) | (keys[last] != wanted)
    if absent.any():
        row = int(absent.argmax())
        reading = f"{dataset.sensors[dataset.codes[row]]} at {iso_time(int(dataset.times_ms[row]))}"
        msg = (
            f"{path}: no label for {reading} and {int(absent.sum()) - 1} other readings; every reading needs one "
            f"(--events takes spans of time instead)"
        )
        raise InputDataError(msg)
    elsewhere = int((codes < 0).sum())
    notes = (f"{elsewhere:,} labels belong to sensors that are not in the input",) if elsewhere else ()
    return GroundTruth(labels[last], f"{path}, column {column}", notes)


def labels_of_events(path: Path, dataset: Dataset, parsing: Parsing = USUAL_PARSING) -> GroundTruth:
    """Read a CSV file of events with columns sensor_id, start, end; rows in [start, end) are anomalous.

    Times are as in the input. A file without sensor_id belongs to the
    only sensor of a dataset without sensor_id. Raises InputDataError that names the line.
    """
    events: dict[str, list[tuple[int, int]]] = {}
    for event in _read_events(path, parsing.zone):
        events.setdefault(event.sensor, []).append((event.start_ms, event.end_ms))
    labels, silences, notes = rows_of_events(events, dataset)
    return GroundTruth(labels, f"events of {path}", notes, silences)


def no_labels(path: Path, column: str, found: Sequence[str]) -> InputDataError:
    """Return an error of a file that has no labels."""
    return InputDataError(f"{path}: no column {column!r} with the labels (found: {', '.join(found)}); {_OTHER_SOURCES}")


def _table(path: Path, column: str, parsing: Parsing = USUAL_PARSING) -> Table:
    table = read_table(path, features=(column,), parsing=parsing)
    if column not in table.columns:
        raise no_labels(path, column, table.unread)
    return table


def _labels(table: Table, column: str) -> BoolArray:
    return _zero_or_one(table.columns[column], f"{table.path}: data row", column)


def _zero_or_one(values: Float64Array, where: str, column: str) -> BoolArray:
    wrong = (values != 0.0) & (values != 1.0)  # NaN is wrong too
    if wrong.any():
        row = int(wrong.argmax())
        value = "is empty or not a number" if np.isnan(values[row]) else f"is {values[row]:g}"
        msg = f"{where} {row + 1}, column {column} {value}; a label is 0 (normal) or 1 (anomalous)"
        raise InputDataError(msg)
    return np.asarray(values == 1.0)


def _keys(codes: Int32Array | Int64Array, times_ms: Int64Array) -> Int64Array:
    """Return one sortable number per sensor and time; times fit in 42 bits."""
    return (codes.astype(np.int64) << 42) + times_ms


def _read_events(path: Path, zone: tzinfo | None) -> Iterator[_Event]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            if absent := [name for name in ("start", "end") if name not in names]:
                msg = f"{path}: no column {' and '.join(absent)}; events have sensor_id,start,end (found: {', '.join(names)})"
                raise InputDataError(msg)
            for row in reader:
                where = f"{path}: line {reader.line_num}"
                sensor = row[SENSOR_COLUMN] if SENSOR_COLUMN in names else ONLY_SENSOR
                yield _event(where, sensor, (row["start"], row["end"]), zone)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise InputDataError(msg) from None
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: not CSV in UTF-8 ({error})"
        raise InputDataError(msg) from None


def _event(where: str, sensor: str | None, span: tuple[str | None, str | None], zone: tzinfo | None) -> _Event:
    start, end = span
    if not sensor:
        msg = f"{where} has no {SENSOR_COLUMN}"
        raise InputDataError(msg)
    event = _Event(sensor, _time_ms(where, "start", start or "", zone), _time_ms(where, "end", end or "", zone))
    if event.end_ms <= event.start_ms:
        msg = f"{where}: the event ends at {end}, which is not after its start, {start}"
        raise InputDataError(msg)
    return event


def _time_ms(where: str, column: str, text: str, zone: tzinfo | None) -> int:
    try:
        return text_time(text, zone)[0]
    except RejectionError as rejection:
        msg = f"{where}: {column} {text[:40]!r} is no time ({rejection.detail})"
        raise InputDataError(msg) from None
