"""Appends readings to their sensors' windows, as a pure fold over each sensor's readings in log order.

Knows the layout of a record, but not Kafka, the store or the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array, Readings
from stream_detector.state.appended import SEAM_READINGS, Appended
from stream_detector.state.counters import fold_rises
from stream_detector.state.idle import OnlyWhile, Rows
from stream_detector.state.lateness import Accepted, accept
from stream_detector.state.pace import Steps, fold_clocks, learn_pace
from stream_detector.state.record_layout import NO_INCIDENT, Records, UInt16Array, step_codes
from stream_detector.state.repeated_hour import settle_times

#: A sensor's count above this is reduced by about half (a multiple of T), so that it always fits in 32 bits.
_MAXIMUM_COUNT = 1 << 31


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
