"""Counts for how many readings a feature repeats its value, or gives none: a pure fold over a sensor's accepted readings.

A missing value neither ends nor extends a run of repeats. Runs are counted in readings, and exactly: values that rounding
makes equal are equal, so how often that happens must be learned (healthy.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import MAXIMUM_RUN, Records
from stream_detector.state.windows import Appended

#: Groups of readings this far apart cannot mix in one running maximum, because no run is longer.
_GROUP_STEP = 1 << 17
#: Readings whose windows are searched at once for an earlier value.
_SEARCHED_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs as of each of M accepted readings."""

    unchanged: Int64Array  # [M, F] repeats of the value, since it last changed
    absent: Int64Array  # [M, F] readings without a value, this one included, since the last with one
    longest: Int64Array  # [M, F] longest run of repeats that ended; 0 for a sensor that the model knows


def fold_runs(records: Records, appended: Appended, values: Float32Array, table_rows: Int32Array) -> Runs:
    """Fold accepted readings, values [M, F], into the runs of their sensors' records, in place.

    `table_rows` [M]: the row of each reading's sensor in the model's table, or UNKNOWN.
    """
    first = np.flatnonzero(appended.rank == 0)
    touched, stored = appended.slot[first], records["runs"]
    group = np.cumsum(appended.rank == 0) - 1
    present, previous = ~np.isnan(values), previous_values(appended, values)
    repeats = values == previous
    changes = present & ~np.isnan(previous) & ~repeats
    unchanged = run_lengths(repeats, changes, stored["unchanged"][touched].astype(np.int64), first, group)
    absent_before = stored["absent"][touched].astype(np.int64)
    if present.all() and not absent_before.any():
        absent = np.zeros(values.shape, np.int64)
    else:
        absent = run_lengths(~present, present, absent_before, first, group)
    longest = np.zeros(values.shape, np.int64)
    if (table_rows == UNKNOWN).any():
        before = np.concatenate([unchanged[:1], unchanged[:-1]])
        before[first] = stored["unchanged"][touched]
        ended = np.where(changes & (table_rows == UNKNOWN)[:, None], before, 0)
        ended[first] = np.maximum(ended[first], stored["longest"][touched])
        base = group[:, None] * _GROUP_STEP
        longest = np.maximum.accumulate(ended + base, axis=0) - base
    last = np.append(first[1:], len(values)) - 1
    for name, run in (("unchanged", unchanged), ("absent", absent), ("longest", longest)):
        stored[name][touched] = run[last]
    return Runs(unchanged, absent, longest)


def run_lengths(extends: BoolArray, ends: BoolArray, before: Int64Array, first: Int64Array, group: Int64Array) -> Int64Array:
    """Return how often a run was extended since it last ended [M, F], at most MAXIMUM_RUN.

    `before` [S, F] are the runs before the groups, which begin at `first` [S]; `group` [M] numbers them.
    """
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


def previous_values(appended: Appended, values: Float32Array) -> Float32Array:
    """Return the value of each feature before each accepted reading [M, F]; NaN if its window has none.

    That is the value of the reading before, or, where that is missing, the newest in the window.
    """
    newest_row = appended.window_start + appended.window_length - 1
    previous = appended.extended_values[newest_row - 1]
    previous[appended.count <= 1] = np.nan
    gaps = np.flatnonzero((np.isnan(previous) & ~np.isnan(values)).any(axis=1))
    for start in range(0, len(gaps), _SEARCHED_AT_ONCE):
        chosen = gaps[start : start + _SEARCHED_AT_ONCE]
        previous[chosen] = np.where(np.isnan(previous[chosen]), _newest_in_window(appended, chosen), previous[chosen])
    return previous


def _newest_in_window(appended: Appended, chosen: Int64Array) -> Float32Array:
    """Return the newest value of each feature in the windows before these readings [K, F]; NaN without one."""
    earlier = appended.windows(chosen)[:, :-1]
    steps = np.arange(earlier.shape[1])[:, None]
    is_row = steps >= (appended.window_length - appended.filled[chosen])[:, None, None]
    at = np.where(is_row & ~np.isnan(earlier), steps, -1).max(axis=1, initial=-1)
    found = np.take_along_axis(earlier, np.maximum(at, 0)[:, None], axis=1)[:, 0]
    return np.asarray(np.where(at >= 0, found, np.float32(np.nan)))
