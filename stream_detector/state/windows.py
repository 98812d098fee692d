"""Appends readings to their sensors' windows, as a pure fold over each sensor's readings in log order.

Knows the layout of a record, but not Kafka, the store or the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import BoolArray, Float32Array, FloatArray, Int32Array, Int64Array, Readings
from stream_detector.state.counters import Rises, fold_rises
from stream_detector.state.idle import OnlyWhile, Rows
from stream_detector.state.lateness import Accepted, Late, accept
from stream_detector.state.lost_readings import with_lost_rows
from stream_detector.state.pace import Steps, fold_clocks, learn_pace
from stream_detector.state.record_layout import NO_INCIDENT, Records, UInt16Array, step_codes, steps_of
from stream_detector.state.repeated_hour import settle_times

#: A sensor's count above this is reduced by about half (a multiple of T), so that it always fits in 32 bits.
_MAXIMUM_COUNT = 1 << 31
#: After a clock was set back, a window is full again with so many readings: those that were dropped before are missing in it,
#: so the first new ones do not continue the old ones, and may look like a fault. Members that expect a reading from those at
#: least eight before look across the seam until the eighth.
SEAM_READINGS = 9


@dataclass(frozen=True, slots=True)
class SensorCounts:
    """The number of sensors in each state."""

    warming: int
    ready: int
    open_incidents: int
    idle: int = 0


def sensor_counts(header: Records, held: BoolArray, window_length: int, idle: BoolArray | None = None) -> SensorCounts:
    """Count, among headers [N], the held sensors with a window that is filling, with a full window, and with an open incident.

    Those that are `idle` [N] count as that alone, if they have no incident.
    The mask is applied to single fields, because selecting headers would copy all their fields.
    """
    full = held & (header["filled"] == window_length)
    is_open = held & (header["incident_offset"] != NO_INCIDENT)
    count_idle = 0 if idle is None else int((held & idle).sum())
    return SensorCounts(int(held.sum() - full.sum()) - count_idle, int(full.sum()), int(is_open.sum()), count_idle)


@dataclass(frozen=True, slots=True)
class Appended:
    """The accepted readings of a batch, grouped by sensor and in log order within a sensor. M readings, S sensors.

    `extended_*` hold, for each sensor, its T-1 rows before the batch and then its new rows. The window as of reading m
    is the T rows from `window_start[m]`.
    """

    reading: Int64Array  # [M] position in the batch
    slot: Int32Array  # [M]
    rank: Int64Array  # [M] 0 for a sensor's first accepted reading in this batch
    filled: Int32Array  # [M] rows in the window as of this reading
    count: Int64Array  # [M] the sensor's accepted readings, this one included
    times_ms: Int64Array  # [M]
    interval_ms: Float32Array  # [M] the sensor's usual time between readings, as known before this one
    pause_ms: Float32Array  # [M] the same of its usual longest pause
    window_start: Int64Array  # [M]
    extended_values: Float32Array  # [E, F]
    extended_steps: UInt16Array  # [E] codes of the times since the row before
    window_length: int
    late: int  # readings dropped: not newer than the sensor's newest
    lateness: Late  # these readings
    restarted: int  # windows restarted after a gap
    jump_ms: Int64Array  # [M] by how much the sensor's clock jumped forwards at this reading; mostly 0
    clock_ms: Int64Array  # [M] how far its clock is ahead of what it was before it jumped; 0: it is right
    counters: tuple[int, ...] = ()  # positions of the counters among the features
    rises: Rises | None = None  # of the counters, if there are any
    idle: BoolArray | None = None  # [M] outside of the state in which the model learned (idle.py); None: there is none

    def windows(self, chosen: Int64Array) -> Float32Array:
        """Return the windows [K, T, F] as of the chosen accepted readings; rows before a restart are meaningless."""
        steps = np.arange(self.window_length)
        return np.asarray(self.extended_values[self.window_start[chosen, None] + steps])

    @property
    def is_idle(self) -> BoolArray:
        """Which readings [M] are outside of the state in which the model learned."""
        return np.zeros(len(self.reading), np.bool_) if self.idle is None else self.idle

    @property
    def rows(self) -> Int64Array:
        """The newest rows [M] of the window as of each accepted reading that belong together: all, if it is full.

        A window that is nearly full may follow a clock that was set back: then only the rows since are sure to.
        """
        filled = self.filled.astype(np.int64)
        before = max(0, self.window_length - SEAM_READINGS)
        return np.where((filled > before) & (filled < self.window_length), filled - before, filled)

    def timed_windows(self, chosen: Int64Array) -> Float32Array:
        """Return the windows [K, T, F] as of the chosen readings with a row of NaN for each lost one (lost_readings.py).

        The rows before the `rows` that belong together are NaN too.
        """
        position = self.window_start[chosen, None] + np.arange(self.window_length)
        values, steps = np.asarray(self.extended_values[position]), self.extended_steps[position]
        rows = self.rows[chosen]
        if (rows == self.window_length).all():
            return with_lost_rows(values, steps)
        values[np.arange(self.window_length) < (self.window_length - rows)[:, np.newaxis]] = np.nan
        return with_lost_rows(values, steps, rows)

    def newest_values(self) -> Float32Array:
        """Return the newest row [M, F] of the window as of each accepted reading: its values, and the rises of counters."""
        return np.asarray(self.extended_values[self.window_start + (self.window_length - 1)])

    def in_values(self, position: int, expected: Float32Array) -> FloatArray:
        """Return a window row [F], as of an accepted reading, in values: for counters, where such rises would have led."""
        if self.rises is None:
            return expected
        values = expected.astype(np.float64)
        for number, feature in enumerate(self.counters):
            values[feature] = self.rises.value_at(position, number, float(expected[feature]))
        return values

    def starts_ms(self, chosen: Int64Array, rows: Int64Array | None = None) -> Int64Array:
        """Return the event times of the first of the windows' newest `rows` [K], to within a 1024th of their longest step.

        Without `rows`, of all that the windows have.
        """
        counted = self.filled[chosen].astype(np.int64) if rows is None else rows
        steps = np.arange(self.window_length)
        between = steps_of(self.extended_steps[self.window_start[chosen, None] + steps])  # [K, T]
        inside = steps > self.window_length - counted[:, np.newaxis]
        return np.asarray(self.times_ms[chosen] - (between * inside).sum(axis=1))


def append(
    records: Records,
    slots: Int32Array,
    readings: Readings,
    max_gap_ms: int | None,
    counters: Sequence[int] = (),
    *,
    known_back: BoolArray | None = None,
    only_while: OnlyWhile | None = None,
) -> Appended:
    """Append readings to the records in `slots` [N] (one per reading), in place; return the accepted ones.

    A reading that is not newer than its sensor's newest is dropped, unless the sensor's clock was set back (lateness.py), as it
    is known of readings `known_back` [N]. One
    that follows a gap restarts the window: a pause longer than `max_gap_ms`, or if that is None, than the limit of the
    sensor's own pace (pace.py). Of the features at the positions `counters`, the window holds the rises. A reading that is
    not in the state `only_while` is idle (idle.py). The result does not depend on how the log was cut into batches.
    """
    header, rows = records["header"], records["rows"]
    window_length = rows.shape[1]
    settle_times(header["last_time_ms"], slots, readings)
    accepted = accept(header, slots, readings, window_length, known_back)
    reading, slot = accepted.reading, accepted.slot
    first, rank = _ranks(slot)
    time_ms = readings.times_ms[reading]
    steps = _steps(header, readings, accepted, rank)
    pace = learn_pace(header, steps, max_gap_ms)
    clock_ms = fold_clocks(header, steps, pace)
    extended = _extend(rows, header["count"], slot, first, rank)
    extended.values[extended.new_row] = readings.values[reading]
    idle, restarts = None, pace.restarts
    if only_while is not None and len(reading):
        before = Rows.of(extended.new_row, rank, header["filled"][slot], window_length - 1)
        idle, begins = only_while.find_idle(extended.values, before)
        restarts = restarts | begins
    rises = None
    if counters:
        of_counters = readings.values[reading][:, counters].astype(np.float64)
        touched = slot[first]
        state = records["counters"][touched]
        unrelated = pace.restarts | (pace.jump_ms != 0)
        rises = fold_rises(state, of_counters, time_ms, rank, unrelated, interval_ms=pace.interval_ms)
        records["counters"][touched] = state
        extended.values[extended.new_row[:, None], list(counters)] = rises.per_hour
    extended.steps[extended.new_row] = step_codes(time_ms - np.where(restarts, 0, pace.elapsed_ms), time_ms)
    appended = Appended(
        reading=reading,
        slot=slot,
        rank=rank,
        filled=_fill(header["filled"][slot], rank, restarts, accepted.is_set_back, window_length),
        count=_count(header["count"][slot], rank, window_length),
        times_ms=time_ms,
        interval_ms=pace.interval_ms,
        pause_ms=pace.pause_ms,
        window_start=extended.new_row - (window_length - 1),
        extended_values=extended.values,
        extended_steps=extended.steps,
        window_length=window_length,
        late=len(accepted.late.reading),
        lateness=accepted.late,
        restarted=int(pace.restarts.sum()),
        jump_ms=pace.jump_ms,
        clock_ms=clock_ms,
        counters=tuple(counters),
        rises=rises,
        idle=idle,
    )
    _write(records, appended, first)
    return appended


def _steps(header: Records, readings: Readings, accepted: Accepted, rank: Int64Array) -> Steps:
    """Return the times between accepted readings, by themselves and by their records; write the newest record's time."""
    slot, starts = accepted.slot, rank == 0
    stamps_ms = np.full(len(readings), -1) if readings.stamps_ms is None else readings.stamps_ms
    stamp = stamps_ms[accepted.reading]
    before = np.where(starts, header["stamp_ms"][slot], np.roll(stamp, 1))
    came = np.where((stamp >= 0) & (before >= 0), stamp - before, -1)
    ends = np.ones(len(slot), np.bool_)
    ends[:-1] = starts[1:]
    has_step = ~starts | (header["count"][slot] > 0)
    header["stamp_ms"][slot[ends]] = stamp[ends]
    return Steps(slot, rank, readings.times_ms[accepted.reading] - accepted.previous_ms, came, has_step)


def _write(records: Records, appended: Appended, first: Int64Array) -> None:
    """Write the accepted rows to the sensors' rings, and the newest reading of each sensor to its header."""
    header, rows, window_length = records["header"], records["rows"], appended.window_length
    total = len(appended.reading)
    if not total:
        return
    last = np.append(first[1:], total)[np.cumsum(appended.rank == 0) - 1] - 1
    kept = last - np.arange(total) < window_length  # only a sensor's newest T rows stay in its ring
    target = appended.slot[kept], (appended.count[kept] - 1) % window_length
    new_row = appended.window_start[kept] + window_length - 1
    rows["values"][target] = appended.extended_values[new_row]
    rows["step"][target] = appended.extended_steps[new_row]
    newest = last[first]
    touched = appended.slot[newest]
    for name, values in (("last_time_ms", appended.times_ms), ("count", appended.count), ("filled", appended.filled)):
        header[name][touched] = values[newest]


def _ranks(slot: Int32Array) -> tuple[Int64Array, Int64Array]:
    """Return where each run of equal slots starts [S], and the rank within the run [M]."""
    starts = np.ones(len(slot), bool)
    starts[1:] = slot[1:] != slot[:-1]
    first = np.flatnonzero(starts)
    return first, np.arange(len(slot)) - first[np.cumsum(starts) - 1] if len(slot) else np.zeros(0, np.int64)


def _fill(
    filled_before: Int32Array, rank: Int64Array, restart: BoolArray, is_set_back: BoolArray, window_length: int
) -> Int32Array:
    """Return how many rows the window has as of each reading [M]; after a clock was set back, some of them do not count."""
    filled = np.minimum(filled_before + rank + 1, window_length)
    for since, at_first in ((restart, 1), (is_set_back, max(1, window_length - SEAM_READINGS + 1))):
        filled = np.minimum(filled, at_first + _readings_since(since, rank, never=window_length))
    return np.asarray(filled, np.int32)


def _readings_since(chosen: BoolArray, rank: Int64Array, never: int) -> Int64Array:
    """Return how many readings ago [M] the sensor's newest chosen one was; `never` if none of the batch was."""
    position = np.arange(len(rank))
    newest = np.maximum.accumulate(np.where(chosen, position, -1)) if len(rank) else position
    return np.where(newest >= position - rank, position - newest, never)


def _count(count_before: NDArray[np.uint32], rank: Int64Array, window_length: int) -> Int64Array:
    """Return the sensor's count as of each reading [M], reduced by full turns of the ring where it gets too large."""
    count = count_before + rank + 1
    rounds = _MAXIMUM_COUNT // 2 // window_length
    return np.asarray(np.where(count > _MAXIMUM_COUNT, count - rounds * window_length, count))


@dataclass(frozen=True, slots=True)
class _Extended:
    values: Float32Array  # [E, F]
    steps: UInt16Array  # [E]
    new_row: Int64Array  # [M] position of each accepted reading


def _extend(rows: Records, count: NDArray[np.uint32], slot: Int32Array, first: Int64Array, rank: Int64Array) -> _Extended:
    """Lay out, for each touched sensor, its newest T-1 rows, oldest first, then space for its new rows."""
    history = rows.shape[1] - 1
    sensors = np.cumsum(rank == 0) - 1  # [M] 0..S-1
    new_row = np.arange(len(slot)) + (sensors + 1) * history
    total = len(slot) + len(first) * history
    touched = slot[first]
    ring = (count[touched, None] + 1 + np.arange(history)) % (history + 1)  # [S, T-1]
    old_row = (first + np.arange(len(first)) * history)[:, None] + np.arange(history)
    values = np.empty((total, rows["values"].shape[2]), np.float32)
    steps = np.empty(total, np.uint16)
    values[old_row] = rows["values"][touched[:, None], ring]
    steps[old_row] = rows["step"][touched[:, None], ring]
    return _Extended(values, steps, new_row)
