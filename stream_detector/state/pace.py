"""Learns how often each sensor is read: its interval and its usual longest pause, a pure fold over its accepted readings.

One fleet has sensors that are read every second, every few minutes, and only when something changed. So the limit of a gap, a
window's duration and the alarm budget follow from each sensor's own pace. A sensor starts with the pace that it had in
training, or with the model's if it was not there, and follows what it does, in blocks of BLOCK_STEPS readings:

- The interval is the mean time between readings, without gaps. It grows at once when most of a block's steps are longer, and
  shrinks by at most half a block: a burst must not make the next reading at the usual pace look late.
- The pause is the longest time between readings that is usual. It grows to at most GROWTH times as much a block, so one
  outage is not taken for usual, and fades over some hundred readings.

A sensor is *live* while its records come as far apart as its readings say, which is not so of a history written to a topic at
once. When the clock of a live sensor jumps, forwards or back, but its next record came in time, no reading is missing: the
window goes on, and the sensor's clock counts as wrong by the jump until it jumps back.

`interval_ms` and `pause_ms` in a sensor's header are always set once it is admitted: other rules may use them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from stream_detector.state.record_layout import Records

#: Defaults: a gap is longer than this many of the sensor's intervals and this many of its usual pauses.
GAP_INTERVALS, GAP_PAUSES = 10.0, 3.0
BLOCK_STEPS = 8
#: Steps are counted as at most this long, so that a block's sum fits in 32 bits: 37 hours.
_LONGEST_STEP_MS = 1 << 27
#: The interval moves by this share of the difference, and more at once beyond this ratio.
_INTERVAL_SHARE, _RATIO = 0.25, 2.0
GROWTH, _FADE = 4.0, 1.0 / 16.0
#: Steps of a block whose records came as far apart, from which a sensor is live.
_LIVE_STEPS = 6
_FIELDS = (
    *("interval_ms", "pause_ms", "block_ms", "block_longest_ms", "block_gaps", "block_steps"),
    *("block_live", "is_live"),
)


@dataclass(frozen=True, slots=True)
class Steps:
    """The accepted readings of a batch [M], grouped by sensor and in order within a sensor."""

    slot: Int32Array  # [M]
    rank: Int64Array  # [M] 0 for a sensor's first one
    step_ms: Int64Array  # [M] time since the sensor's reading before; <= 0 where its clock was set back
    stamp_step_ms: Int64Array  # [M] time since the record before of the sensor; negative: not known
    has_step: BoolArray  # [M] false for a sensor's very first reading


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of the pace at each of M accepted readings."""

    interval_ms: Float32Array  # [M] of the sensor, before this reading; 0: not known
    pause_ms: Float32Array  # [M] the same of its usual longest pause
    restarts: BoolArray  # [M] the reading follows a gap
    elapsed_ms: Int64Array  # [M] time since the reading before, as far as is known: not by a clock that jumped
    jump_ms: Int64Array  # [M] by how much the sensor's clock jumped forwards; mostly 0
    limit_ms: Float64Array  # [M] limit of a gap


def gap_limit_ms(interval_ms: Float64Array, pause_ms: Float64Array, max_gap_ms: int | None) -> Float64Array:
    """Return the longest pause within a window of sensors [S], by their interval and usual pause.

    `max_gap_ms` replaces it if set. Infinite where neither is known.
    """
    if max_gap_ms is not None:
        return np.full(len(interval_ms), float(max_gap_ms))
    limit = np.maximum(GAP_INTERVALS * interval_ms, GAP_PAUSES * pause_ms)
    return np.asarray(np.where(limit > 0, limit, np.inf))


def begin_pace(header: Records, interval_ms: Float32Array, pause_ms: Float32Array) -> None:
    """Give headers [N] that have no pace yet this one [N], in place."""
    unset = header["interval_ms"] <= 0
    header["interval_ms"][unset] = interval_ms[unset]
    header["pause_ms"][unset] = np.maximum(interval_ms, pause_ms)[unset]


def learn_pace(header: Records, steps: Steps, max_gap_ms: int | None) -> Pace:
    """Fold the steps of accepted readings [M] into the headers, in place. `max_gap_ms`: see gap_limit_ms."""
    count, rank = len(steps.slot), steps.rank
    whole, real = np.zeros((2, count), np.int64), np.zeros((2, count), np.float32)
    pace = Pace(real[0], real[1], np.zeros(count, np.bool_), whole[0], whole[1], np.zeros(count))
    if not count:
        return pace
    is_first = rank == 0
    is_new = ~steps.has_step[is_first][np.cumsum(is_first) - 1]  # the sensor's first reading here has no step
    block = (header["block_steps"][steps.slot] + np.maximum(rank - is_new, 0)) // BLOCK_STEPS
    for positions in _by_block(block):
        _learn_block(header, steps, positions, max_gap_ms, pace)
    return pace


def _by_block(block: Int64Array) -> list[Int64Array]:
    """Return the positions of each sensor's current block, of its next, and so on; each ordered."""
    if not block.any():
        return [np.arange(len(block))]
    order = np.argsort(block, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(block[order])) + 1)


def _learn_block(header: Records, all_steps: Steps, positions: Int64Array, max_gap_ms: int | None, pace: Pace) -> None:
    """Fold readings at these positions, at most one block of each sensor, and write what is known at each into `pace`."""
    columns = (all_steps.slot, all_steps.step_ms, all_steps.stamp_step_ms, all_steps.has_step)
    slot, steps, came, counted = (column[positions] for column in columns)
    is_start = np.ones(len(slot), np.bool_)
    is_start[1:] = slot[1:] != slot[:-1]
    starts, group = np.flatnonzero(is_start), np.cumsum(is_start) - 1
    state = header[slot[starts]]
    limit = gap_limit_ms(state["interval_ms"].astype(np.float64), state["pause_ms"].astype(np.float64), max_gap_ms)
    is_odd = counted & ((steps <= 0) | (steps > limit[group]))
    jumps = is_odd & (state["is_live"][group] > 0) & (came >= 0) & (came <= limit[group])
    gaps = is_odd & ~jumps
    interval = state["interval_ms"][group]
    elapsed = np.where(jumps, came, np.where(steps > 0, steps, interval.astype(np.int64)))
    pace.interval_ms[positions], pace.limit_ms[positions] = interval, limit[group]
    pace.pause_ms[positions] = state["pause_ms"][group]
    pace.restarts[positions], pace.elapsed_ms[positions] = gaps, np.where(counted, elapsed, 0)
    pace.jump_ms[positions] = np.where(jumps | (counted & (steps <= 0)), steps - elapsed, 0)
    clipped = np.where(counted, np.minimum(elapsed, _LONGEST_STEP_MS), 0)
    is_live = counted & (jumps | ((steps > 0) & (came >= 0) & (2 * came >= steps)))
    state["block_ms"] += np.add.reduceat(np.where(gaps, 0, clipped), starts).astype(np.uint32)
    state["block_longest_ms"] = np.maximum(state["block_longest_ms"], np.maximum.reduceat(clipped, starts))
    state["block_gaps"] += np.add.reduceat(gaps, starts, dtype=np.uint8)
    state["block_steps"] += np.add.reduceat(counted, starts, dtype=np.uint8)
    state["block_live"] += np.add.reduceat(is_live, starts, dtype=np.uint8)
    is_full = state["block_steps"] >= BLOCK_STEPS
    if is_full.any():
        state[is_full] = _after_block(state[is_full])
    for name in _FIELDS:
        header[name][slot[starts]] = state[name]


def _after_block(state: Records) -> Records:
    """Return the headers [S] of sensors after a full block."""
    interval, pause, longest = (state[name].astype(np.float64) for name in ("interval_ms", "pause_ms", "block_longest_ms"))
    gaps = state["block_gaps"].astype(np.int64)
    is_slower = 2 * gaps > BLOCK_STEPS
    mean = np.where(is_slower, longest, state["block_ms"] / np.maximum(BLOCK_STEPS - gaps, 1))
    mean = np.maximum(mean, 1.0)
    followed = np.where(mean > _RATIO * interval, mean, interval + _INTERVAL_SHARE * (mean - interval))
    followed = np.where(mean < interval / _RATIO, interval / _RATIO, followed)
    usual = np.maximum(np.minimum(longest, GROWTH * np.maximum(pause, followed)), pause - _FADE * (pause - followed))
    state["interval_ms"], state["pause_ms"] = followed, np.maximum(usual, followed)
    state["is_live"] = state["block_live"] >= _LIVE_STEPS
    for name in ("block_ms", "block_longest_ms", "block_gaps", "block_steps", "block_live"):
        state[name] = 0
    return state


def fold_clocks(header: Records, steps: Steps, pace: Pace) -> Int64Array:
    """Fold the jumps of clocks into the headers, in place; return how far each reading's clock is ahead [M], 0: it is right.

    A clock that is as far off as a gap at most is right again.
    """
    ahead = header["clock_ms"][steps.slot]
    for at in np.flatnonzero(pace.jump_ms).tolist():
        stop = at + int(np.searchsorted(steps.slot[at:], steps.slot[at], side="right"))
        now = ahead[at] + pace.jump_ms[at]
        ahead[at:stop] = now if abs(now) > pace.limit_ms[at] else 0
        header["clock_ms"][steps.slot[at]] = ahead[at]
    return np.asarray(ahead)
