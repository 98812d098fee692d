"""Local times that come twice, when summer time ends: which of the two a reading means, told by the order of its sensor.

A time is given as its first meaning in UTC, and how much later the second meaning is: 0 for a time that comes once.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import numpy as np

from stream_detector.readings import BoolArray, Int32Array, Int64Array
from stream_detector.timestamps import to_ms

#: Offsets from UTC change at multiples of this.
_QUARTER_MS = 900_000
#: A step back of at least this share of the repeated time begins its second pass; a smaller one is disorder.
STEP_BACK = 0.25


def utc_times(local_ms: Int64Array, zone: tzinfo) -> tuple[Int64Array, Int64Array]:
    """Return the times [N] in UTC, at their first meaning, and how much later the second is [N].

    `local_ms` has local times as if they were UTC. In the time that the zone skips, the second number is negative, and the
    clock is taken as not yet changed.
    """
    quarters, place = np.unique(local_ms // _QUARTER_MS, return_inverse=True)
    first, second = np.empty(len(quarters), np.int64), np.empty(len(quarters), np.int64)
    for number, quarter in enumerate((quarters * _QUARTER_MS).tolist()):
        moment = datetime.fromtimestamp(quarter // 1000, UTC).replace(tzinfo=zone)
        first[number], second[number] = to_ms(moment) - quarter, to_ms(moment.replace(fold=1)) - quarter
    return local_ms + first[place], (second - first)[place]


def second_pass(codes: Int32Array, times_ms: Int64Array, later_ms: Int64Array) -> BoolArray:
    """Return where a time [N] is meant at its second meaning; rows are in the order of their source, which may be backwards."""
    found = np.zeros(len(codes), np.bool_)
    for code in np.unique(codes[later_ms > 0]).tolist():
        rows = np.flatnonzero(codes == code)
        steps = np.diff(times_ms[rows])
        if (steps < 0).sum() > (steps > 0).sum():
            rows = rows[::-1]  # newest first
        twice = np.flatnonzero(later_ms[rows] > 0)
        apart = np.abs(np.diff(times_ms[rows[twice]])) > 2 * later_ms[rows[twice[:-1]]]
        for run in np.split(twice, np.flatnonzero(apart) + 1):
            found[rows[run]] = _second_of_run(times_ms[rows], run, int(later_ms[rows[run[0]]]))
    return found


def _second_of_run(times_ms: Int64Array, run: Int64Array, later_ms: int) -> BoolArray:
    """Return which readings of a sensor, at these positions within one repeated time, belong to its second pass."""
    times = times_ms[run]
    steps = np.diff(times)
    back = np.flatnonzero(steps <= -STEP_BACK * later_ms)
    if len(back):
        return np.asarray(np.arange(len(run)) > back[0])
    if (steps == 0).any():  # sorted by local time: each time stands twice
        return np.concatenate([[False], steps == 0])
    first, last = int(run[0]), int(run[-1])
    if last + 1 == len(times_ms):
        return np.zeros(len(run), np.bool_)
    after = int(times_ms[last + 1] - times[-1])
    if first == 0:
        return np.ones(len(run), np.bool_)
    before = int(times[0] - times_ms[first - 1])
    return np.full(len(run), max(before + later_ms, after - later_ms) < max(before, after))
