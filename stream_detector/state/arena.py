"""Keeps the sensors' records in memory, in slots by partition and sensor, and tracks which of them are not stored yet.

The arena doubles its capacity up to `max_sensors`; then it evicts the least recently seen sensors whose state is stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Int32Array, Int64Array, Readings
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import Records, new_records, raw, without_rules
from stream_detector.state.rule_states import RuleStates

#: In place of the time of the stored record: there is none. A stored record without a reading has -1 (record_layout.py).
NOT_STORED = -2
#: A due second that never comes.
NEVER_DUE = 1 << 60
_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class SlotProgress:
    """The progress of slots [S] at one moment."""

    slots: Int32Array
    unsaved_rows: Int64Array
    last_time_ms: Int64Array


class Arena:
    """Slots for sensors' records. Parallel arrays, indexed by slot, hold data that is not part of the stored state."""

    def __init__(
        self,
        max_sensors: int,
        window_length: int,
        features: int,
        members: int,
        counters: int = 0,
        *,
        assembles: bool = False,
    ) -> None:
        self.max_sensors = max_sensors
        self._slots: dict[int, dict[str, int]] = {}
        self._free: list[int] = []
        self._unsaved: dict[int, list[Int32Array]] = {}
        self._tick = 0
        self.sensors: list[str] = []
        self.layout = new_records(0, window_length, features, members, counters, assembles=assembles).dtype  # of a whole record
        self.records: Records = np.zeros(0, without_rules(self.layout))  # without the rules' state; arbitrary in free slots
        self.rules = RuleStates(features)
        self.partitions: Int32Array = np.zeros(0, np.int32)  # -1: free
        self.phases: Int64Array = np.zeros(0, np.int64)  # hash of the sensor's name, to spread strides
        self.table_rows: Int32Array = np.zeros(0, np.int32)  # in the model's table of sensors, or UNKNOWN
        self.stored_time_ms: Int64Array = np.zeros(0, np.int64)  # last_time_ms of the stored record, or NOT_STORED
        self.unsaved_rows: Int64Array = np.zeros(0, np.int64)  # rows appended since the record was stored
        self.has_stored_rules: BoolArray = np.zeros(0, np.bool_)  # the stored record may have a state of the rules
        self.due_s: Int64Array = np.zeros(
            0, np.int64
        )  # detection/silence_watch.py: when the sensor has been silent for too long
        self.evicted: set[int] = set()  # partitions of which sensors were evicted, until `drop`
        self._last_seen: Int64Array = np.zeros(0, np.int64)
        self._grow()

    def __len__(self) -> int:
        return len(self.sensors) - len(self._free)

    def next_batch(self) -> None:
        """Make the previous batch's sensors evictable. Sensors touched or inserted from now on stay until the next call."""
        self._tick += 1

    def touch(self, partition: int, sensors: Iterable[str]) -> list[str]:
        """Mark sensors as part of this batch; return those that are not in the arena, each once."""
        held = self._slots.get(partition, {})
        slots, missing = [], []
        for sensor in dict.fromkeys(sensors):
            slot = held.get(sensor)
            if slot is None:
                missing.append(sensor)
            else:
                slots.append(slot)
        self._last_seen[slots] = self._tick
        return missing

    @property
    def room(self) -> int:
        """How many more sensors fit without evicting any."""
        return self.max_sensors - len(self)

    def holds(self, partition: int, sensor: str) -> bool:
        """Return whether a sensor is in the arena."""
        return sensor in self._slots.get(partition, ())

    def slot(self, partition: int, sensor: str) -> int:
        """Return the slot of a sensor that is in the arena."""
        return self._slots[partition][sensor]

    def other_partition(self, partition: int, sensor: str) -> int | None:
        """Return another partition that holds a sensor of this name, or None."""
        return next((other for other, held in self._slots.items() if other != partition and sensor in held), None)

    def slots(self, readings: Readings) -> Int32Array:
        """Return each reading's slot [N]; its sensor must be in the arena."""
        held = self._slots
        pairs = zip(readings.partitions.tolist(), readings.sensors, strict=True)
        return np.fromiter((held[partition][sensor] for partition, sensor in pairs), np.int32, len(readings))

    def make_room(self, needed: int) -> bool:
        """Make room by growing, or by evicting stored sensors of earlier batches; return whether there is enough."""
        while len(self._free) < needed and len(self.sensors) < self.max_sensors:
            self._grow()
        shortage = needed - len(self._free)
        if shortage > 0:
            stored = (self.unsaved_rows == 0) & (self.stored_time_ms > NOT_STORED)
            evictable = (self.partitions >= 0) & stored & (self._last_seen < self._tick)
            candidates = np.flatnonzero(evictable)
            if len(candidates) < shortage:
                return False
            oldest = candidates[np.argpartition(self._last_seen[candidates], shortage - 1)[:shortage]]
            for slot, partition in zip(oldest.tolist(), self.partitions[oldest].tolist(), strict=True):
                del self._slots[partition][self.sensors[slot]]
                self.evicted.add(partition)
            self._release(oldest.tolist())
        return True

    def insert(
        self, partition: int, sensors: Sequence[str], records: Records, stored: BoolArray, table_rows: Int32Array
    ) -> Int32Array:
        """Insert new sensors with these records [N]; there must be room. Return their slots [N].

        `stored` [N]: the store has exactly this record.
        """
        slots = [self._free.pop() for _ in sensors]
        self._slots.setdefault(partition, {}).update(zip(sensors, slots, strict=True))
        for slot, sensor in zip(slots, sensors, strict=True):
            self.sensors[slot] = sensor
        of_slots = np.array(slots, np.int32)
        raw(self.records)[of_slots] = self._without_rules(records)
        self.rules.write(of_slots, records["rules"])
        self.has_stored_rules[of_slots] = self.rules.have_any(of_slots)
        self.partitions[slots] = partition
        self.phases[slots] = [zlib.crc32(sensor.encode()) for sensor in sensors]
        self.table_rows[slots] = table_rows
        self.stored_time_ms[slots] = np.where(stored, records["header"]["last_time_ms"], NOT_STORED)
        self.unsaved_rows[slots] = 0
        self._last_seen[slots] = self._tick
        return of_slots

    def held(self, partition: int) -> Int32Array:
        """Return the slots of a partition's sensors."""
        return np.fromiter(self._slots.get(partition, {}).values(), np.int32)

    def copy_records(self, slots: Int32Array) -> Records:
        """Return a copy of these slots' whole records."""
        copies: Records = np.empty(len(slots), self.layout)
        self._without_rules(copies)[:] = raw(self.records)[slots]
        copies["rules"] = self.rules.read(slots)
        return copies

    def _without_rules(self, records: Records) -> Records:
        """Return a view of whole records without their last part, as bytes."""
        size = self.records.dtype.itemsize
        return np.ndarray(len(records), np.dtype((np.void, size)), records, strides=records.strides)

    def unsaved(self, partition: int, most: int | None = None) -> Int32Array:
        """Return a partition's slots with unsaved state, at most `most` of them."""
        slots = self._unsaved.get(partition)
        return np.sort(np.concatenate(slots)[:most]) if slots else np.zeros(0, np.int32)

    @property
    def unsaved_count(self) -> int:
        """How many sensors, over all partitions, have unsaved state. Scans all slots."""
        return int(np.count_nonzero(self.unsaved_rows))

    def mark_changed(self, slots: Int32Array, rows: Int64Array) -> None:
        """Record that rows [S], at least one each, were appended to these distinct slots [S]."""
        fresh = slots[self.unsaved_rows[slots] == 0]
        self.unsaved_rows[slots] += rows
        partitions = self.partitions[fresh]
        for partition in np.unique(partitions).tolist():
            self._unsaved.setdefault(partition, []).append(fresh[partitions == partition])

    def progress(self, slots: Int32Array) -> SlotProgress:
        """Return the progress of these slots, for a later `mark_saved`."""
        return SlotProgress(slots, self.unsaved_rows[slots], self.records["header"]["last_time_ms"][slots])

    def mark_saved(self, partition: int, progress: SlotProgress) -> None:
        """Record that the store has the partition's slots as they were when `progress` was called."""
        self.unsaved_rows[progress.slots] -= progress.unsaved_rows
        self.stored_time_ms[progress.slots] = progress.last_time_ms
        remaining = (slots[self.unsaved_rows[slots] > 0] for slots in self._unsaved.pop(partition, ()))
        if left := [slots for slots in remaining if len(slots)]:
            self._unsaved[partition] = left

    def mark_lost(self, partition: int) -> Int32Array:
        """Record that the store lost a partition's state; return the slots of all its sensors."""
        slots = self.held(partition)
        self.stored_time_ms[slots] = NOT_STORED
        return slots

    def drop(self, partition: int) -> None:
        """Remove a partition's sensors."""
        self._unsaved.pop(partition, None)
        self.evicted.discard(partition)
        self._release(list(self._slots.pop(partition, {}).values()))

    def _release(self, slots: list[int]) -> None:
        self.partitions[slots] = -1
        self.unsaved_rows[slots] = 0
        self.due_s[slots] = NEVER_DUE
        self.rules.forget(np.array(slots, np.int32))
        for slot in slots:
            self.sensors[slot] = ""
        self._free += slots

    def _grow(self) -> None:
        """Double the capacity, at most to max_sensors."""
        old = len(self.sensors)
        new = min(self.max_sensors, max(_FIRST_CAPACITY, 2 * old))
        added = new - old
        records: Records = np.zeros(new, self.records.dtype)  # pages that are never written take no memory
        raw(records)[:old] = raw(self.records)
        self.records = records
        self.partitions = np.concatenate([self.partitions, np.full(added, -1, np.int32)])
        self.table_rows = np.concatenate([self.table_rows, np.full(added, UNKNOWN, np.int32)])
        self.phases, self.stored_time_ms, self.unsaved_rows, self._last_seen = (
            np.concatenate([column, np.zeros(added, np.int64)])
            for column in (self.phases, self.stored_time_ms, self.unsaved_rows, self._last_seen)
        )
        self.due_s = np.concatenate([self.due_s, np.full(added, NEVER_DUE, np.int64)])
        self.has_stored_rules = np.concatenate([self.has_stored_rules, np.zeros(added, np.bool_)])
        self.rules.grow(new)
        self.sensors += [""] * added
        self._free += range(new - 1, old - 1, -1)
