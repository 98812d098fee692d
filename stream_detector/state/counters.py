"""Turns the readings of counters (meters, totals) into how fast they rise: a pure fold over a sensor's readings in log order.

A counter's value says little; its rise says what happened. A window therefore holds rises per hour, computed in double
precision: at 18 million, single precision cannot tell one step from the next. A rise is missing

    at a sensor's first value and at the first of a window that restarts, after a gap or on another clock,
    where the value falls: the counter restarted, or rolled over,
    where it returns to its highest value after a fall: one reading had failed, and says 0,
    at a value that comes too soon after the one before, by the sensor's usual interval: a step of a counter that only moves
        in steps would look like a jump. What it rose counts at the next value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import BoolArray, Float64Array, FloatArray, Int64Array

MS_PER_HOUR = 3_600_000.0
#: A value within this share of the sensor's usual interval comes too soon.
SOON_SHARE = 0.5
#: What a sensor's record keeps of one counter; NaN: no value yet, and for `last` none since the window restarted.
COUNTER = np.dtype([("last", "<f8"), ("highest", "<f8"), ("time_ms", "<i8")])

CounterState = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Rises:
    """The rises of C counters at M readings, grouped by sensor and in log order within one."""

    per_hour: Float64Array  # [M, C] NaN: missing
    before: Float64Array  # [M, C] the value that each is a rise from; NaN: none
    span_ms: Int64Array  # [M, C] since that value

    def value_at(self, reading: int, counter: int, per_hour: float) -> float:
        """Return the value that a counter would have had at a reading, had it risen this fast; NaN if that is unknown."""
        return float(self.before[reading, counter] + per_hour * self.span_ms[reading, counter] / MS_PER_HOUR)


def clear_counters(state: CounterState) -> None:
    """Make these counters ones without a value, in place."""
    state["last"] = state["highest"] = np.nan
    state["time_ms"] = 0


def fold_rises(
    state: CounterState,
    values: Float64Array,
    times_ms: Int64Array,
    rank: Int64Array,
    restarts: BoolArray,
    *,
    interval_ms: FloatArray | None = None,
) -> Rises:
    """Fold values [M, C] at times [M] into the state [S, C] of their sensors, in place, and return the rises.

    `rank` [M]: the reading's position among those of its sensor; the S sensors are in the order of the state. `restarts` [M]:
    the window restarts at this reading. `interval_ms` [M]: the sensor's usual interval as known before it; 0: not known.
    """
    position = np.arange(len(rank))
    start, group = position - rank, np.cumsum(rank == 0) - 1
    restarted = np.maximum.accumulate(np.where(restarts, position, -1)) if len(rank) else position
    window = np.where(restarted >= start, restarted, start)  # [M] the first reading in this batch of the reading's window
    least_ms = np.zeros(len(rank)) if interval_ms is None else SOON_SHARE * interval_ms
    readings = _Readings(times_ms, group, start, window, is_continued=restarted < start, least_ms=least_ms)
    folded = [_fold_one(state[:, counter], values[:, counter], readings) for counter in range(values.shape[1])]
    parts = zip(*folded, strict=True) if folded else ([], [], [])
    per_hour, before, span_ms = (np.stack(part, axis=1) if part else np.empty((len(rank), 0)) for part in parts)
    return Rises(per_hour, before, span_ms.astype(np.int64))


@dataclass(frozen=True, slots=True)
class _Readings:
    """M readings of S sensors."""

    times_ms: Int64Array  # [M]
    group: Int64Array  # [M] the sensor, 0 ... S-1
    start: Int64Array  # [M] the sensor's first reading in this batch
    window: Int64Array  # [M] the first reading, in this batch, of the window that it is in
    is_continued: BoolArray  # [M] that window began before this batch
    least_ms: FloatArray  # [M] a value that comes sooner after the one before comes too soon


def _fold_one(state: CounterState, values: Float64Array, readings: _Readings) -> tuple[Float64Array, Float64Array, Int64Array]:
    """Fold one counter's values [M] into its state [S], in place; return rises per hour, values before, and spans."""
    if not len(values):
        return values, values, readings.times_ms
    stored, position = state[readings.group], np.arange(len(values))
    present = ~np.isnan(values)
    present &= ~_too_soon(stored, present, readings)
    newest = np.maximum.accumulate(np.where(present, position, -1))  # [M] the newest reading with a value
    in_batch = newest >= readings.window
    stored_last = np.where(readings.is_continued, stored["last"], np.nan)
    last = np.where(in_batch, values[newest], stored_last)
    last_ms = np.where(in_batch, readings.times_ms[newest], stored["time_ms"])
    highest = np.fmax(_highest_so_far(values, present, readings.group), stored["highest"])

    is_first = position == readings.start
    before = np.where(is_first, stored["last"], np.roll(last, 1))
    before[position == np.where(readings.is_continued, -1, readings.window)] = np.nan  # the window has just restarted
    span_ms = readings.times_ms - np.where(is_first, stored["time_ms"], np.roll(last_ms, 1))
    before_highest = np.where(is_first, stored["highest"], np.roll(highest, 1))

    returns = (before < before_highest) & (values >= before_highest)
    counts = present & (span_ms > 0) & (values >= before) & ~returns
    ends = np.append(np.flatnonzero(np.diff(readings.group)), len(values) - 1)
    state["last"], state["highest"], state["time_ms"] = last[ends], highest[ends], np.where(np.isnan(last), 0, last_ms)[ends]
    per_hour = np.where(counts, (values - before) / np.maximum(span_ms, 1) * MS_PER_HOUR, np.nan)
    return per_hour, before, span_ms


def _too_soon(stored: CounterState, present: BoolArray, readings: _Readings) -> BoolArray:
    """Return which values [M] come too soon after the one before of their window that does not."""
    found = np.zeros(len(present), np.bool_)
    if not present.any() or not readings.least_ms.any():
        return found
    suspects = np.unique(readings.group[_are_close(stored, present, readings)])
    for sensor in suspects.tolist():  # few: one value decides about the next
        last_ms = -math.inf
        for at in np.flatnonzero(readings.group == sensor).tolist():
            if at == readings.start[at] and readings.is_continued[at] and not math.isnan(stored["last"][at]):
                last_ms = float(stored["time_ms"][at])
            if at == readings.window[at] and not readings.is_continued[at]:
                last_ms = -math.inf
            if present[at]:
                found[at] = readings.times_ms[at] - last_ms < readings.least_ms[at]
                last_ms = last_ms if found[at] else float(readings.times_ms[at])
    return found


def _are_close(stored: CounterState, present: BoolArray, readings: _Readings) -> BoolArray:
    """Return which values [M] are close to the one before, were none left out: without any, none comes too soon."""
    position = np.arange(len(present))
    newest = np.maximum.accumulate(np.where(present, position, -1))
    before = np.roll(newest, 1)
    is_in_batch = (before >= readings.window) & (position > readings.start)
    is_stored = ~is_in_batch & readings.is_continued & ~np.isnan(stored["last"])
    before_ms = np.where(is_in_batch, readings.times_ms[before], stored["time_ms"])
    return np.asarray(present & (is_in_batch | is_stored) & (readings.times_ms - before_ms < readings.least_ms))


def _highest_so_far(values: Float64Array, present: BoolArray, group: Int64Array) -> Float64Array:
    """Return the highest of each sensor's values up to each reading [M]; NaN before the first."""
    if not present.any():
        return np.full(len(values), np.nan)
    ordered = np.unique(values[present])
    # A running maximum of ranks: each sensor's are above all ranks of the sensors before it.
    base = group * (len(ordered) + 1)
    ranks = np.where(present, 1 + np.searchsorted(ordered, values), 0)
    highest = np.maximum.accumulate(base + ranks) - base
    return np.where(highest > 0, ordered[np.maximum(highest, 1) - 1], np.nan)
