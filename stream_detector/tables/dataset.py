"""Reads CSV and Parquet files into a Dataset: readings of several sensors, as arrays.

A file has a column `timestamp` (ISO 8601, or seconds or milliseconds since 1970), a column `sensor_id` (optional for a single
sensor), and one column per feature. An empty cell or NaN is a missing value. Reading keeps every row, in file order;
`clean` sorts and drops duplicate times, for training.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.readings import BoolArray, Float64Array, FloatArray, Int32Array, Int64Array
from stream_detector.state.known_sensors import ONLY_SENSOR
from stream_detector.tables.columns import SENSOR_COLUMN, TIME_COLUMN
from stream_detector.tables.lost_cells import together
from stream_detector.tables.table import Table, read_table

#: Rows of a file without a sensor column are taken to be of several sensors if at least this share and this number of them
#: have the time of another row but other values. A clock that is set back repeats few times; two sensors that are read
#: together share half of them.
_CONTRADICTING_SHARE = 0.25
_FEWEST_CONTRADICTING = 20


@dataclass(frozen=True, slots=True)
class Dataset:
    """N readings of F features, in the order of their source."""

    features: tuple[str, ...]
    sensors: tuple[str, ...]  # names, in order of appearance
    codes: Int32Array  # [N] index into `sensors`
    times_ms: Int64Array  # [N] since 1970, UTC
    values: FloatArray  # [N, F]; NaN = missing
    rows: Int64Array  # [N] row in the source, counted from 0 across all files
    unread: tuple[str, ...] = ()  # columns of the source that were not read
    notes: tuple[str, ...] = ()  # sentences on how the source was understood, such as words taken as missing
    removed: BoolArray | None = None  # [N, F] values that `without` has taken out; None: none
    held: BoolArray | None = None  # [N, F] values of before, because their features said nothing new; None: none
    follows_cut: BoolArray | None = None  # [N] before these the user left readings of their sensor out; None: nowhere

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, positions: Int64Array | BoolArray) -> Dataset:
        """Return the readings at these positions, or where the mask is True."""
        return replace(
            self,
            codes=self.codes[positions],
            times_ms=self.times_ms[positions],
            values=self.values[positions],
            rows=self.rows[positions],
            removed=None if self.removed is None else self.removed[positions],
            held=None if self.held is None else self.held[positions],
            follows_cut=None if self.follows_cut is None else self.follows_cut[positions],
        )

    def cut(self, left_out: BoolArray) -> Dataset:
        """Return a cleaned dataset without the readings at a mask [N], which remembers where they were."""
        if not left_out.any():
            return self
        cuts = np.cumsum(left_out if self.follows_cut is None else left_out | self.follows_cut)[~left_out]
        return replace(self.take(~left_out), follows_cut=np.diff(cuts, prepend=0) > 0)

    def goes_on(self) -> BoolArray:
        """Return which readings [N] of a cleaned dataset follow the one before in their sensor, with none left out between."""
        follows = np.append(False, np.diff(self.codes) == 0)[: len(self)]
        return follows if self.follows_cut is None else follows & ~self.follows_cut

    def column(self, feature: str) -> Float64Array:
        """Return the values [N] of a feature in double precision."""
        return np.asarray(self.values[:, self.features.index(feature)], np.float64)

    def select(self, features: Sequence[str]) -> Dataset:
        """Return the dataset with only these features, in this order."""
        columns = [self.features.index(name) for name in features]
        removed, held = (None if mask is None else mask[:, columns] for mask in (self.removed, self.held))
        return replace(self, features=tuple(features), values=self.values[:, columns], removed=removed, held=held)

    def without(self, cells: BoolArray) -> Dataset:
        """Return the dataset with these cells [N, F] missing, which remembers that they had values."""
        return replace(self, values=np.where(cells, np.nan, self.values), removed=cells) if cells.any() else self


def read_dataset(
    paths: Sequence[Path],
    features: Sequence[str] | None = None,
    ignore: Collection[str] = (),
    parsing: Parsing = USUAL_PARSING,
) -> Dataset:
    """Read files as one dataset, in the order given, without sorting or dropping rows.

    `features` names the feature columns to read and their order (a model's); other columns are skipped. With None, the
    first file defines the features and every file must have the same. Columns in `ignore` are not read; at least one file
    must have each of them. Raises InputDataError, which names the file and, where possible, the row.
    """
    tables: list[Table] = []
    for path in paths:
        table = read_table(path, ignore, features, parsing)
        _check_features(table, tables[0] if tables and features is None else None, features)
        tables.append(table)
    if not tables:
        msg = "no input file was given"
        raise InputDataError(msg)
    return dataset_of(tables, paths, features, ignore)


def dataset_of(
    tables: Sequence[Table], paths: Sequence[Path], features: Sequence[str] | None = None, ignore: Collection[str] = ()
) -> Dataset:
    """Put tables that were read from `paths` together, as `read_dataset` describes it. Raises InputDataError."""
    for table in tables:
        _check_features(table, tables[0] if features is None else None, features)
    where = str(paths[0]) if len(paths) == 1 else "the files"
    found = ", ".join(dict.fromkeys(name for table in tables for name in table.names))
    dataset = _concatenate(tables, tuple(features) if features is not None else tables[0].features)
    if absent := [name for name in ignore if name not in dataset.unread and name != TIME_COLUMN]:
        msg = f"{where}: no column {', '.join(absent)}, which --ignore-columns names (found: {found})"
        raise InputDataError(msg)
    if not any(table.sensors for table in tables):
        _check_one_sensor(dataset, where, found)
    return dataset


def clean(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Sort by sensor and time, and keep the first reading of each time. Return the dataset and a sentence on each repair."""
    order = np.lexsort((dataset.rows, dataset.times_ms, dataset.codes)).astype(np.int64)
    ordered = dataset.take(order)
    same_sensor = np.diff(ordered.codes) == 0
    repairs: list[str] = []
    # A reading is out of order if the row before it, of the same sensor, has a later time.
    by_sensor = dataset.take(np.argsort(dataset.codes, kind="stable").astype(np.int64))
    backwards = int(((np.diff(by_sensor.times_ms) < 0) & (np.diff(by_sensor.codes) == 0)).sum())
    if backwards:
        repairs.append(f"times go backwards at {backwards} of {len(dataset)} readings: sorted by time")
    repeated = same_sensor & (np.diff(ordered.times_ms) == 0)
    if repeated.any():
        count = int(repeated.sum())
        repairs.append(f"{count} of {len(dataset)} readings repeat a time of their sensor: the first of each time was kept")
        is_present = ~np.isnan(ordered.values)
        added = int((repeated & (is_present[1:] & ~is_present[:-1]).any(axis=1)).sum())
        if added:
            repairs.append(
                f"{added} of these have values of other features than the row before, which are lost: if each metric is a row "
                "or a message of its own, join those of a sensor and time into one (docs/input.md)"
            )
        ordered = ordered.take(np.concatenate([[True], ~repeated]))
    return ordered, repairs


def sampling_interval_seconds(dataset: Dataset) -> float:
    """Return the median time between a sensor's consecutive readings in a cleaned dataset. Raises InputDataError if none."""
    steps_ms = np.diff(dataset.times_ms)[np.diff(dataset.codes) == 0]
    if not len(steps_ms):
        msg = "no sensor has two readings at different times, the least that training needs"
        raise InputDataError(msg)
    return float(np.median(steps_ms)) / 1000.0


def _concatenate(tables: Sequence[Table], features: tuple[str, ...]) -> Dataset:
    names = [table.sensors or [ONLY_SENSOR] for table in tables]
    sensors = tuple(dict.fromkeys(name for of_table in names for name in of_table))
    code_of = {name: code for code, name in enumerate(sensors)}
    codes = [
        np.array([code_of[name] for name in of_table], np.int32)[table.codes]
        for table, of_table in zip(tables, names, strict=True)
    ]
    values = [np.column_stack([table.columns[name] for name in features]) for table in tables]
    lost = together(table.lost for table in tables)
    return Dataset(
        features=features,
        sensors=sensors,
        codes=np.concatenate(codes),
        times_ms=np.concatenate([table.times_ms for table in tables]),
        values=np.concatenate(values),
        rows=np.arange(sum(len(part) for part in codes), dtype=np.int64),
        unread=tuple(dict.fromkeys(name for table in tables for name in table.unread)),
        notes=(*(note for table in tables for note in table.notes), *lost.lines()),
    )


def _check_features(table: Table, first: Table | None, features: Sequence[str] | None) -> None:
    """Raise InputDataError unless a table has exactly the expected feature columns, in any order."""
    expected = features if features is not None else first.features if first is not None else table.features
    whose = "the model" if features is not None else "the first file"
    missing = [name for name in expected if name not in table.columns]
    if missing:
        found = ", ".join((*table.features, *table.unread))
        msg = f"{table.path}: column {', '.join(missing)} of {whose} is missing (found: {found})"
        raise InputDataError(msg)
    unknown = [name for name in table.features if name not in expected]
    if unknown:
        msg = f"{table.path}: column {', '.join(unknown)} is unknown to {whose}; name it in --ignore-columns to leave it out"
        raise InputDataError(msg)
    if not table.features:
        msg = f"{table.path}: no feature columns, only timestamp and {SENSOR_COLUMN}"
        raise InputDataError(msg)


def _check_one_sensor(dataset: Dataset, where: str, found: str) -> None:
    """Raise InputDataError if so many rows share a time but not their values that they must be of several sensors."""
    order = np.argsort(dataset.times_ms, kind="stable")
    repeated = np.flatnonzero(np.diff(dataset.times_ms[order]) == 0)
    before, after = dataset.values[order[repeated]], dataset.values[order[repeated + 1]]
    contradicting = int((~((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)).sum())
    if contradicting < max(_FEWEST_CONTRADICTING, _CONTRADICTING_SHARE * len(dataset)):
        return
    msg = (
        f"{where}: without a column {SENSOR_COLUMN} all rows belong to one sensor, but {contradicting:,} of "
        f"{len(dataset):,} rows have the time of another row and other values. Rename the column that names the "
        f"sensors to {SENSOR_COLUMN} (found: {found}). If there is only one sensor, add a column {SENSOR_COLUMN} with its name"
    )
    raise InputDataError(msg)
