"""Gathers what a decoder finds in a batch, and makes columns of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.reading_checks import ReadingChecks
from stream_detector.ingest.value_columns import Columns, value_columns
from stream_detector.places import places_of
from stream_detector.readings import BoolArray, Decoded, Float64Array, Readings, Record, Rejected, Unknown
from stream_detector.values import MissingValues


@dataclass(slots=True)
class Gathered:
    """The readings of a batch that passed the checks, in order, and the records that did not."""

    records: list[Record] = field(default_factory=list)  # of the readings: one with several readings is there as often
    sensors: list[str] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    later: dict[int, int] = field(default_factory=dict)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    strangers: dict[int, tuple[str, ...]] = field(default_factory=dict)
    indices: list[int] | None = None  # in the record; None: every record is one reading or none
    has_several: bool = False  # a record has several readings
    says_null: bool = False  # a name without a value says that there is none from now on
    needs_value: bool = False  # a record with nothing but nulls is no reading
    rejected: list[Rejected] = field(default_factory=list)
    tombstones: Counter[int] = field(default_factory=Counter)
    excluded: dict[int, Counter[str]] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)

    def add(
        self, record: Record, sensor: str, time: tuple[int, int], values: Mapping[str, Any], strangers: tuple[str, ...] = ()
    ) -> None:
        """Add a reading; `time` is its milliseconds since 1970 and how much later they come again, or 0.

        `strangers` are features that it has and the model does not know, if it lacks some that the model knows.
        """
        if strangers:
            self.strangers[len(self.records)] = strangers
        if time[1]:
            self.later[len(self.records)] = time[1]
        self.records.append(record)
        self.sensors.append(sensor)
        self.times_ms.append(time[0])
        self.rows.append(values)

    def reject(self, record: Record, rejection: RejectionError) -> None:
        """Note that a record, or a part of it, is no reading."""
        self.rejected.append(Rejected(record, rejection.reason, rejection.detail))

    def note_unknown(self, record: Record, index: int, sensor: str, time_ms: int, strangers: tuple[str, ...]) -> None:
        """Note which features of a message, at an index in its record, are numbers that the model does not know."""
        self.unknown.append(Unknown(record.partition, places_of(record.offset, index), sensor, time_ms, strangers))

    def exclude(self, record: Record, what: str, count: int = 1) -> None:
        """Count something that the settings leave out."""
        self.excluded.setdefault(record.partition, Counter())[what] += count

    def decoded(
        self, features: Sequence[str], missing: Sequence[MissingValues], checks: ReadingChecks, batch: Sequence[Record]
    ) -> Decoded:
        """Return all of it as columns; `batch` has the records that were decoded."""
        columns = value_columns(self.rows, features, missing)
        if self.needs_value and not self.says_null:
            columns.note_nulls(self.rows)
        readings = self._readings(columns.values)
        if self.says_null:
            readings = replace(readings, nulls=_nulls(self.rows, features, columns.values))
        if self.later:
            readings = checks.with_later(readings, self.later)
        decoded = Decoded(readings, self.rejected, self.tombstones, excluded=self.excluded, unknown=self.unknown)
        if columns.unusable:
            decoded = self._without_unusable(decoded, columns, batch)
        are_one_each = self.indices is None and not self.excluded
        return decoded if are_one_each else self._of_several(decoded, batch)

    def _readings(self, values: Float64Array) -> Readings:
        count = len(self.records)
        offsets = np.fromiter((record.offset for record in self.records), np.int64, count)
        return Readings(
            sensors=self.sensors,
            partitions=np.fromiter((record.partition for record in self.records), np.int32, count),
            places=offsets if self.indices is None else places_of(offsets, np.array(self.indices, np.int64)),
            times_ms=np.array(self.times_ms, np.int64),
            values=values,
            stamps_ms=np.fromiter((record.timestamp for record in self.records), np.int64, count),
            strangers=self.strangers or None,
        )

    def _without_unusable(self, decoded: Decoded, columns: Columns, batch: Sequence[Record]) -> Decoded:
        """Reject the readings that have no value left, and count the values that the others lost."""
        rejections = columns.rejections()
        is_kept = np.ones(len(self.records), np.bool_)
        is_kept[list(rejections)] = False
        lost = columns.lost(self.records, decoded.readings.sensors, is_kept)
        if not rejections:
            return replace(decoded, lost=lost)
        rejected = [
            *decoded.rejected,
            *(Rejected(self.records[row], one.reason, one.detail) for row, one in rejections.items()),
        ]
        return replace(decoded, readings=decoded.readings.take(is_kept), rejected=_in_order(rejected, batch), lost=lost)

    def _of_several(self, decoded: Decoded, batch: Sequence[Record]) -> Decoded:
        """Make one dead letter of those of a record, and count how many more outcomes than records there are."""
        outcomes_count = len(decoded.readings) + len(decoded.rejected)
        if not self.has_several and outcomes_count == len(batch) - self.tombstones.total():
            return decoded  # one of each record
        rejected = _one_of_each(decoded.rejected)
        outcomes = Counter(decoded.readings.partitions.tolist()) + Counter(one.record.partition for one in rejected)
        outcomes.subtract(Counter(record.partition for record in batch if record.value))
        return replace(decoded, rejected=rejected, surplus=outcomes)


def _nulls(rows: Sequence[Mapping[str, Any]], features: Sequence[str], values: Float64Array) -> BoolArray | None:
    """Return which features [N, F] rows name without a usable value; None: there are none. Rows name known features only."""
    is_missing = np.isnan(values)
    named = np.fromiter(map(len, rows), np.int64, len(rows))
    nulls = np.zeros(values.shape, np.bool_)
    for row in np.flatnonzero(named > (~is_missing).sum(axis=1)).tolist():
        nulls[row] = is_missing[row] & [name in rows[row] for name in features]
    return nulls if nulls.any() else None


def _in_order(rejected: list[Rejected], batch: Sequence[Record]) -> list[Rejected]:
    """Return rejections in the order of their records."""
    place = {id(record): number for number, record in enumerate(batch)}
    return sorted(rejected, key=lambda one: place[id(one.record)])


def _one_of_each(rejected: Sequence[Rejected]) -> list[Rejected]:
    """Return a rejection for each record that has any: its first, which says how many more parts of the record there are."""
    of_record: dict[int, list[Rejected]] = {}
    for one in rejected:
        of_record.setdefault(id(one.record), []).append(one)
    return [
        first if not others else replace(first, detail=f"{first.detail}; and {len(others)} more parts of this record")
        for first, *others in of_record.values()
    ]
