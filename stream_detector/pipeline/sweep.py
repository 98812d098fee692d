"""Looks at the stored sensors of partitions that are not all in memory, in slices: some of them may have fallen silent.

After a restart, sensors are loaded when their readings arrive, so the silent ones would be forgotten. A sweep brings all
stored sensors of a partition into memory if there is room, and then the partition needs no more sweeps. If there is not, it
only remembers those that are due, and another sweep follows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.detection.detector import Detector
from stream_detector.detection.silence_watch import SilentSensor
from stream_detector.errors import StoreUnavailableError
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.sensor_loader import decode_stored
from stream_detector.pipeline.state_access import StateAccess
from stream_detector.state.record_layout import NO_OFFSET

logger = logging.getLogger(__name__)

#: Sensors per request, and the time that slices may take between two batches. A slice takes a few milliseconds.
_SLICE_SENSORS, _SLICES_SECONDS = 500, 0.05
#: The pause between two sweeps of a partition whose sensors do not fit into memory.
_PAUSE_SECONDS = 30.0


@dataclass(slots=True)
class _Sweep:
    """One pass over the stored sensors of a partition."""

    owner: Partition  # the state in memory that it completes
    until_s: int  # it looks for sensors that are due by then
    cursor: str = ""
    due: set[str] = field(default_factory=set)
    left_out: bool = False  # a sensor was not brought into memory
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that has ended: all stored sensors of its partition were examined."""

    partition: Partition
    until_s: int  # for being due by then
    absent: Sequence[SilentSensor]  # those of them that are due and not in memory


class Sweeps:
    """The sweeps of all partitions. They run between two batches, while no other request to the store is under way."""

    def __init__(self, state: StateAccess, detector: Detector, clock: Callable[[], float]) -> None:
        self._state = state
        self._detector = detector
        self._clock = clock
        self._sweeps: dict[int, _Sweep] = {}
        self._not_before: dict[int, float] = {}

    def has_all_in_memory(self, partition: Partition) -> bool:
        """Return whether every sensor of a partition is in memory, so that it needs no sweep."""
        return partition.is_loaded and partition.number not in self._detector.arena.evicted

    def advance(self, partitions: Mapping[int, Partition]) -> list[Swept]:
        """Continue the sweeps of these partitions for a bounded time; return those that have ended."""
        ended: list[Swept] = []
        until = self._clock() + _SLICES_SECONDS
        try:
            for number, partition in partitions.items():
                if self.has_all_in_memory(partition) or self._not_before.get(number, 0.0) > self._clock():
                    continue
                sweep = self._sweep_of(partition)
                if self._reaches_end(sweep, until):
                    ended.append(self._end(sweep))
                if self._clock() > until:
                    break
        except StoreUnavailableError:
            pass  # the guard has logged it; the sweep goes on when the store answers
        return ended

    def _reaches_end(self, sweep: _Sweep, until: float) -> bool:
        """Take slices of a sweep until then; return whether it has seen all stored sensors."""
        partition = sweep.owner
        while not sweep.is_complete:
            with self._state.guard.asking() as store:
                page = store.scan(partition.number, partition.epoch, sweep.cursor, _SLICE_SENSORS)
            self._check_store(partition)
            self._examine(sweep, page.records)
            sweep.cursor, sweep.is_complete = page.cursor, not page.cursor
            if self._clock() > until:
                break
        return sweep.is_complete

    def _end(self, sweep: _Sweep) -> Swept:
        """End a sweep: look once more at the due sensors that are not in memory, because some may have spoken since."""
        partition, detector = sweep.owner, self._detector
        absent = [name for name in sorted(sweep.due) if not detector.arena.holds(partition.number, name)]
        silent: list[SilentSensor] = []
        for first in range(0, len(absent), _SLICE_SENSORS):
            names = absent[first : first + _SLICE_SENSORS]
            with self._state.guard.asking() as store:
                stored = store.load(partition.number, partition.epoch, names)
            self._check_store(partition)
            records, is_usable = decode_stored(detector, stored)
            records["header"]["last_offset"][~is_usable] = NO_OFFSET
            silent += detector.silences.due_sensors(partition.number, names, records, sweep.until_s)
        del self._sweeps[partition.number]
        partition.is_loaded = not sweep.left_out
        if sweep.left_out:
            self._not_before[partition.number] = self._clock() + _PAUSE_SECONDS
        return Swept(partition, sweep.until_s, silent)

    def _check_store(self, partition: Partition) -> None:
        """Raise StoreUnavailableError if the store has fallen back to older data: the partition is restored then."""
        with self._state.guard.asking() as store:
            meta = store.meta(partition.number)  # read after the sensors: what is still there was there then
        if meta is None or meta.epoch != partition.epoch or meta.next_position < partition.persisted:
            self._state.guard.require_check()
            msg = f"the state store has lost the newest writes of partition {partition.number}"
            raise StoreUnavailableError(msg)

    def _sweep_of(self, partition: Partition) -> _Sweep:
        """Return the sweep of a partition, or begin one with the sensors in memory."""
        number, silences = partition.number, self._detector.silences
        sweep = self._sweeps.get(number)
        if sweep is None or sweep.owner is not partition:
            sweep = self._sweeps[number] = _Sweep(partition, silences.of(number).clock.second)
            self._detector.arena.evicted.discard(number)
            sweep.due = {one.sensor_id for one in silences.due_in_memory(number, sweep.until_s)}
        return sweep

    def _examine(self, sweep: _Sweep, stored: Mapping[str, bytes]) -> None:
        """Bring stored sensors into memory; if there is no room for them all, only remember those that are due."""
        number, detector = sweep.owner.number, self._detector
        absent = [name for name in stored if not detector.arena.holds(number, name)]
        if not absent:
            return
        records, is_usable = decode_stored(detector, [stored[name] for name in absent])
        absent, records = [absent[at] for at in np.flatnonzero(is_usable).tolist()], records[is_usable]
        if len(absent) <= detector.arena.room:
            detector.arena.make_room(len(absent))
            detector.admit(number, absent, records, np.ones(len(absent), np.bool_))
            return
        sweep.left_out = True
        due = detector.silences.due_sensors(number, absent, records, sweep.until_s)
        sweep.due.update(one.sensor_id for one in due)
