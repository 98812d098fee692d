"""The data that flows through the product: records as the client returns them, readings as columns, and messages.

A reading is one measurement of one sensor at one event time: F feature values. The client's record and the decoder's struct are
the only objects per reading; everything after decoding is arrays. This module knows neither Kafka nor JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
FloatArray = Float32Array | Float64Array
BoolArray = NDArray[np.bool_]
Header = tuple[str, bytes | None]


class Record(Protocol):
    """A record of a topic as the Kafka client returns it; the product uses these attributes only."""

    @property
    def topic(self) -> str: ...  # noqa: D102 - the names are Kafka's
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102 - milliseconds
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[Header]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings as columns, in the order of the log. N rows, F features."""

    sensors: list[str]  # [N]
    partitions: Int32Array  # [N]
    places: Int64Array  # [N] in the log (places.py): of the only reading of a record, the record's offset
    times_ms: Int64Array  # [N] event time, within timestamps.MINIMUM_TIME_MS and MAXIMUM_TIME_MS
    values: FloatArray  # [N, F]; NaN = missing. Counters need double precision
    stamps_ms: Int64Array | None = None  # [N] time of the record itself; negative: it has none. None: there are no records
    later_ms: Int64Array | None = None  # [N] how much later a local time comes again; 0: it does not. None: none does
    told_ms: Int64Array | None = None  # [N] of assembled readings: event time of the message that completed each
    nulls: BoolArray | None = None  # [N, F] the sender says that there is no value from now on. None: nobody says so
    strangers: Mapping[int, tuple[str, ...]] | None = None  # by row: of a reading that lacks features, unknown ones that it has

    def __len__(self) -> int:
        return len(self.sensors)

    def take(self, is_kept: BoolArray) -> Readings:
        """Return the readings where the mask [N] is True."""
        return Readings(
            [sensor for sensor, keeps in zip(self.sensors, is_kept.tolist(), strict=True) if keeps],
            self.partitions[is_kept],
            self.places[is_kept],
            self.times_ms[is_kept],
            self.values[is_kept],
            None if self.stamps_ms is None else self.stamps_ms[is_kept],
            None if self.later_ms is None else self.later_ms[is_kept],
            None if self.told_ms is None else self.told_ms[is_kept],
            None if self.nulls is None else self.nulls[is_kept],
            self._strangers(is_kept) if self.strangers else None,
        )

    def _strangers(self, is_kept: BoolArray) -> dict[int, tuple[str, ...]]:
        rows, strangers = np.cumsum(is_kept) - 1, self.strangers or {}
        return {int(rows[row]): names for row, names in strangers.items() if is_kept[row]}


class Lost(NamedTuple):
    """A kind of value that could not be used, while others of its reading were. Counters of it say what is missing where."""

    sensor: str
    feature: str
    reason: str  # of values.UNUSABLE_REASONS
    found: str  # shortened, for people


class Unknown(NamedTuple):
    """Names of a message that the model does not know, where readings are assembled of messages. It may have known ones too."""

    partition: int
    place: int  # in the log
    sensor: str
    time_ms: int
    names: tuple[str, ...]  # of numbers


class Death(NamedTuple):
    """A record that says that a sensor is gone."""

    partition: int
    offset: int
    sensor: str
    time_ms: int
    kind: str  # of the message: NDEATH or DDEATH


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not a reading. `reason` is a stable code, `detail` a sentence for people."""

    record: Record
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The result of decoding some records: every record is one or more readings, a rejection, both, nothing or a tombstone."""

    readings: Readings
    rejected: list[Rejected]
    tombstones: Counter[int] = field(default_factory=Counter)  # records without a value, by partition
    lost: Mapping[int, Counter[Lost]] = field(default_factory=dict)  # by partition: what stood where a value is missing
    excluded: Mapping[int, Counter[str]] = field(default_factory=dict)  # by partition: readings and values left out by settings
    missing: Mapping[int, Counter[str]] = field(
        default_factory=dict
    )  # by partition: messages that nodes sent and are not there
    deaths: Sequence[Death] = ()  # of sensors, in log order within a partition
    surplus: Counter[int] = field(default_factory=Counter)  # by partition: readings and rejections beyond one a record
    unknown: Sequence[Unknown] = ()  # in log order

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.readings) + len(self.rejected) + self.tombstones.total() - self.surplus.total()


@dataclass(frozen=True, slots=True)
class Message:
    """A record to produce. A `value` of None is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    timestamp_ms: int | None = None  # None: the time at which it is sent
    partition: int | None = None  # None: that of the key


#: Opaque proof of group membership (in Kafka, group metadata). A source makes it; only a sink of the same client reads it.
Membership = object
