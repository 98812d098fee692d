"""Counts for how many readings a feature repeats its value, or gives none: a pure fold over a sensor's accepted readings.

A missing value neither ends nor extends a run of repeats, and neither does a value that is held because its feature said
nothing new (state/assembling.py): report by exception is quiet while nothing changes. Runs are counted in readings, and
exactly: values that rounding makes equal are equal, so how often that happens must be learned (healthy.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.readings import BoolArray, Int32Array, Int64Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import MAXIMUM_RUN, Records

#: Groups of readings this far apart cannot mix in one running maximum, because no run is longer.
_GROUP_STEP = 1 << 17


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs as of each of M accepted readings."""

    unchanged: Int64Array  # [M, F] repeats of the value, since it last changed
    absent: Int64Array  # [M, F] readings without a value, this one included, since the last with one
    longest: Int64Array  # [M, F] longest run of repeats that ended; 0 if no sensor is unknown to the model
    absent_before: Int64Array  # [S, F] `absent` before the batch


def fold_runs(records: Records, state: Records, batch: RuleBatch) -> Runs:
    """Fold a batch into the runs of its sensors, in place: in their records and in their state of the rules [S]."""
    first, group, values, touched = batch.first, batch.group, batch.values, batch.slots
    present, previous = ~np.isnan(values), batch.previous
    repeats = values == previous
    changes = present & ~np.isnan(previous) & ~repeats
    ends, gone, there = changes, ~present, present
    if batch.appended.idle is not None:
        idle = batch.appended.idle[:, np.newaxis]
        ends, gone, there = changes | idle, gone & ~idle, present | idle
    if batch.held is not None:
        repeats &= ~batch.held
    unchanged_before = records["unchanged"][touched].astype(np.int64)
    unchanged = run_lengths(repeats, ends, unchanged_before, first, group)
    absent_before = state["absent"].astype(np.int64)
    if present.all() and not absent_before.any():
        absent = np.zeros(values.shape, np.int64)
    else:
        absent = run_lengths(gone, there, absent_before, first, group)
        state["absent"] = absent[batch.last]
    longest = np.zeros(values.shape, np.int64)
    is_unknown = batch.table_rows == UNKNOWN
    if is_unknown.any():
        before = np.concatenate([unchanged[:1], unchanged[:-1]])
        before[first] = unchanged_before
        ended = np.where(changes & is_unknown[:, None], before, 0)
        ended[first] = np.where(is_unknown[first, None], np.maximum(ended[first], state["longest"]), 0)
        longest = longest_ended(ended, np.zeros((len(first), 1), np.int64), first, group)
    state["longest"] = longest[batch.last]
    records["unchanged"][touched] = unchanged[batch.last]
    return Runs(unchanged, absent, longest, absent_before)


def longest_ended(ended: Int64Array, before: Int64Array, first: Int64Array, group: Int64Array) -> Int64Array:
    """Return the longest run so far [M, F], given those that end at readings [M, F], else 0, and those `before` [S, F]."""
    ended[first] = np.maximum(ended[first], before)
    base = group[:, None] * _GROUP_STEP
    return np.asarray(np.maximum.accumulate(ended + base, axis=0) - base)


def run_lengths(extends: BoolArray, ends: BoolArray, before: Int64Array, first: Int64Array, group: Int64Array) -> Int64Array:
    """Return how often a run was extended since it last ended [M, F], at most MAXIMUM_RUN.

    `before` [S, F] are the runs before the groups, which begin at `first` [S]; `group` [M] numbers them.
    """
    if len(first) == len(extends):  # a reading of each sensor, as is usual
        return np.asarray(np.minimum(np.where(ends, 0, before + extends), MAXIMUM_RUN))
    total = np.cumsum(extends, axis=0, dtype=np.int64) + group[:, None] * _GROUP_STEP
    base = np.where(ends, total, -_GROUP_STEP)
    base[first] = np.where(ends[first], total[first], total[first] - extends[first] - before)
    return np.asarray(np.minimum(total - np.maximum.accumulate(base, axis=0), MAXIMUM_RUN))


def longest_runs(extends: BoolArray, groups: Int32Array, count: int) -> Int32Array:
    """Return the longest run of rows [N] that extend it, by group [G]; the rows of each group of `count` are together."""
    longest = np.zeros(count, np.int32)
    if len(extends):
        first = np.flatnonzero(np.append(True, np.diff(groups) != 0))
        group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(groups))))
        runs = run_lengths(extends[:, None], ~extends[:, None], np.zeros((len(first), 1), np.int64), first, group)
        longest[groups[first]] = np.maximum.reduceat(runs[:, 0], first)
    return longest
