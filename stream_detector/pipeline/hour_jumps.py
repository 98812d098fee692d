"""Finds sensors whose times go back by exactly an hour, or half of one: local times without a zone do at the end of summer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stream_detector.readings import Readings
from stream_detector.state.appended import Appended

#: By so much clocks go back at the end of summer, in minutes: half an hour on Lord Howe Island.
MINUTES = (60, 30)
#: How far from that a jump may be, and how many sensors of a batch are named.
_TOLERANCE_MS, _MOST = 10_000, 100


def hour_jumps(readings: Readings, appended: Appended) -> Mapping[str, int]:
    """Return the sensors of a batch whose times went back by an hour or half of one, each with the minutes.

    A clock counts that was found to be set back, by the times of records. So do late readings, since records may all be written
    at once: the first late one is as far behind its sensor's newest as the hour less one step, and the next shows the step.
    """
    found: dict[str, int] = {}
    for at in np.flatnonzero(appended.jump_ms < 0)[:_MOST].tolist():
        _note(found, readings, int(appended.reading[at]), -int(appended.jump_ms[at]))
    late = appended.lateness
    same = np.diff(late.slot) == 0
    for at in np.flatnonzero(same & ~late.is_orderly[:-1] & late.is_orderly[1:])[:_MOST].tolist():
        first, second = int(late.reading[at]), int(late.reading[at + 1])
        step_ms = int(readings.times_ms[second] - readings.times_ms[first])
        _note(found, readings, first, int(late.behind_ms[at]) + step_ms)
    return found


def _note(found: dict[str, int], readings: Readings, reading: int, back_ms: int) -> None:
    for minutes in MINUTES:
        if abs(back_ms - 60_000 * minutes) <= _TOLERANCE_MS:
            found[readings.sensors[reading]] = minutes
