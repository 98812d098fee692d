"""Tells late readings from those of a clock that was set back: a pure fold over a sensor's readings in log order.

A reading that is not newer than its sensor's newest is late, and dropped. But a clock can go back: a battery is lost, summer
time ends, a wrong time is mended. Then every later reading would be late. So a sensor remembers its late ones in a row, which
any reading in time ends, and the reading that completes one of these is accepted, on the new clock:

- LIVE_READINGS orderly ones, each newer than the one before, whose records came as far apart as they say, or nearly. A backlog
  that is sent again comes faster than it was measured.
- A window's worth of orderly ones, at least FEWEST_READINGS, however they came.

A few readings from 1970 after a restart complete neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Int32Array, Int64Array, Readings
from stream_detector.state.record_layout import Records

LIVE_READINGS, FEWEST_READINGS = 8, 16
#: Times are below 2**42 ms, so groups of readings this far apart cannot mix in one running maximum.
_GROUP_STEP = 1 << 43
_MOST = (1 << 16) - 1
_CLEARED = (("late_time_ms", 0), ("late_stamp_ms", 0), ("late_run", 0), ("late_live", 0))


@dataclass(frozen=True, slots=True)
class Late:
    """The late readings of a batch [L], which are dropped."""

    reading: Int64Array  # [L] position in the batch
    slot: Int32Array  # [L]
    behind_ms: Int64Array  # [L] >= 0: how much older than the sensor's newest
    is_orderly: BoolArray  # [L] newer than the late one before it

    def take(self, chosen: BoolArray) -> Late:
        """Return the chosen late readings."""
        return Late(self.reading[chosen], self.slot[chosen], self.behind_ms[chosen], self.is_orderly[chosen])


@dataclass(frozen=True, slots=True)
class Accepted:
    """The accepted readings of a batch, grouped by sensor and in log order within a sensor. M readings."""

    reading: Int64Array  # [M] position in the batch
    slot: Int32Array  # [M]
    previous_ms: Int64Array  # [M] event time of the sensor's accepted reading before; arbitrary for the very first
    is_set_back: BoolArray  # [M] the first on a clock that was set back
    late: Late


@dataclass(frozen=True, slots=True)
class _Ordered:
    """The readings of a batch [N], grouped by sensor and in log order within a sensor."""

    slot: Int32Array
    starts: BoolArray  # the first of a sensor
    time_ms: Int64Array
    stamps_ms: Int64Array  # of their records; negative: not known


def accept(
    header: Records, slots: Int32Array, readings: Readings, window_length: int, known_back: BoolArray | None = None
) -> Accepted:
    """Group readings by slot and drop the late ones; fold these into the headers, in place.

    `known_back` [N]: readings that are the first on a clock that is known to have been set back.
    """
    order = np.argsort(slots, kind="stable")
    slot, time_ms = slots[order], readings.times_ms[order]
    starts = np.ones(len(slot), np.bool_)
    starts[1:] = slot[1:] != slot[:-1]
    is_set_back, is_orderly = np.zeros((2, len(slot)), np.bool_)
    if known_back is not None:
        is_set_back[:] = known_back[order]
    previous = _previous(header, slot, time_ms, starts, is_set_back)
    is_late = time_ms <= previous
    if is_late.any() or is_set_back.any() or header["late_run"][slot].any():
        stamps_ms = np.full(len(slot), -1) if readings.stamps_ms is None else readings.stamps_ms[order]
        runs = _Runs(header, _Ordered(slot, starts, time_ms, stamps_ms), max(window_length, FEWEST_READINGS))
        while len(at := runs.set_back(is_late)):
            is_set_back[at] = True
            previous = _previous(header, slot, time_ms, starts, is_set_back)
            is_late = time_ms <= previous
        before = np.where(starts, header["last_time_ms"][slot], np.roll(np.maximum(time_ms, previous), 1))
        previous, is_orderly = np.where(is_set_back, before, previous), runs.is_orderly
        runs.write(header, is_late)
    late = Late(order[is_late], slot[is_late], (previous - time_ms)[is_late], is_orderly[is_late])
    return Accepted(order[~is_late], slot[~is_late], previous[~is_late], is_set_back[~is_late], late)


def _previous(header: Records, slot: Int32Array, time_ms: Int64Array, starts: BoolArray, is_set_back: BoolArray) -> Int64Array:
    """Return the sensor's newest time before each reading [N]; below its own time where a clock was set back."""
    if not len(slot):
        return time_ms
    segments = starts | is_set_back
    base = np.cumsum(segments) * _GROUP_STEP
    before = np.where(is_set_back, time_ms - 1, header["last_time_ms"][slot])
    newest = np.maximum.accumulate(np.maximum(time_ms, np.where(segments, before, time_ms)) + base)
    return np.asarray(np.where(segments, before, np.concatenate([[0], newest[:-1]]) - base))


class _Runs:
    """The rows of readings that are late among N, grouped by sensor."""

    def __init__(self, header: Records, ordered: _Ordered, enough: int) -> None:
        slot, starts, time_ms, stamps_ms = ordered.slot, ordered.starts, ordered.time_ms, ordered.stamps_ms
        self._slot, self._starts, self._enough = slot, starts, enough
        self._time_ms, self._stamps_ms = time_ms, stamps_ms
        carried = {name: np.where(starts, header[name][slot], 0).astype(np.int64) for name, _ in _CLEARED}
        self._carried = carried
        before = np.where(starts, carried["late_time_ms"], np.roll(time_ms, 1))
        stamp_before = np.where(starts, carried["late_stamp_ms"], np.roll(stamps_ms, 1))
        self._is_newer = time_ms > before
        came = stamps_ms - stamp_before
        has_stamps = (stamps_ms >= 0) & (stamp_before >= 0)
        self._is_live = self._is_newer & has_stamps & (2 * came >= time_ms - before)
        self._run = self._live = np.zeros(len(slot), np.int64)
        self.is_orderly = np.zeros(len(slot), np.bool_)  # late, and newer than the late one before it

    def set_back(self, is_late: BoolArray) -> Int64Array:
        """Return the positions of the readings, at most one of a sensor, that complete a run among the late ones."""
        continues = is_late & np.where(self._starts, self._carried["late_run"] > 0, np.roll(is_late, 1))
        self.is_orderly = continues & self._is_newer
        self._run = self._lengths(is_late, self.is_orderly, self._carried["late_run"])
        self._live = self._lengths(is_late, continues & self._is_live, self._carried["late_live"])
        complete = np.flatnonzero(is_late & ((self._run >= self._enough) | (self._live >= LIVE_READINGS)))
        _, first = np.unique(self._slot[complete], return_index=True)
        return np.asarray(complete[first])

    def _lengths(self, is_late: BoolArray, continues: BoolArray, carried: Int64Array) -> Int64Array:
        """Return the length of the run that ends at each late reading [N], from those that continue the one before."""
        position = np.arange(len(is_late))
        first = self._starts | ~continues
        begin = np.maximum.accumulate(np.where(first, position, 0))
        return np.where(is_late, position - begin + 1 + np.where(continues & self._starts, carried, 0)[begin], 0)

    def write(self, header: Records, is_late: BoolArray) -> None:
        """Write the late readings that each sensor ends with."""
        ends = np.ones(len(self._slot), np.bool_)
        ends[:-1] = self._starts[1:]
        at = np.flatnonzero(ends)
        values = (self._time_ms, self._stamps_ms, np.minimum(self._run, _MOST), np.minimum(self._live, _MOST))
        for (name, cleared), of_run in zip(_CLEARED, values, strict=True):
            header[name][self._slot[at]] = np.where(is_late[at], of_run[at], cleared)
