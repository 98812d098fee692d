"""The clock of a partition: how long it has been active, a pure fold over its log.

Active time follows the newest event time of the partition's readings, but leaves out unusual pauses of the whole partition. So
no sensor seems silent because nothing at all arrived: at night, between two shifts, or while the input was away. An event time
later than its own record does not advance the clock beyond the record: one clock that is ahead is not believed for all sensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Int64Array, Readings

#: Where active time begins, so that there is a time before everything.
FIRST_ACTIVE_MS = 1 << 30
#: A step between two readings of the partition that is longer may be a pause.
_PAUSE_FROM_MS = 10_000
#: A pause counts in full up to this many times the usual one, which is halved after this many times its own length without one.
_USUAL_TIMES, _FORGET_TIMES = 2, 16


@dataclass(slots=True)
class PartitionClock:
    """The clock of a partition, as of its newest reading. Four whole numbers, all in milliseconds."""

    newest_ms: int = -1  # event time; -1: no reading yet
    active_ms: int = FIRST_ACTIVE_MS
    usual_ms: int = 0  # the usual pause of the partition, if it has pauses
    busy_ms: int = 0  # time since its last pause

    @property
    def second(self) -> int:
        """The active time in whole seconds, as records keep it."""
        return self.active_ms // 1000

    def advance(self, arrivals_ms: Int64Array, pause_ms: int | None) -> Int64Array:
        """Advance by readings with these times [N], in log order; return the active time as of each, in seconds [N].

        An unusual pause counts as at most `pause_ms`; None: all pauses count in full.
        """
        if not len(arrivals_ms):
            return arrivals_ms
        first = self.newest_ms if self.newest_ms >= 0 else int(arrivals_ms[0])
        newest = np.maximum.accumulate(np.concatenate([[first], arrivals_ms]))
        steps = np.diff(newest)
        pauses = np.flatnonzero(steps > _PAUSE_FROM_MS) if pause_ms is not None else steps[:0]
        at = 0
        for position in pauses.tolist():
            self.busy_ms += int(steps[at:position].sum())
            steps[position] = self._counted(int(steps[position]), pause_ms or 0)
            at = position + 1
        self.busy_ms += int(steps[at:].sum())
        active = self.active_ms + np.cumsum(steps)
        self.newest_ms, self.active_ms = int(newest[-1]), int(active[-1])
        return np.asarray(active // 1000)

    def _counted(self, step_ms: int, pause_ms: int) -> int:
        """Return how much of a pause counts, and learn how long pauses usually are: at most twice as long at once."""
        if self.usual_ms:
            self.usual_ms >>= min(self.busy_ms // (_FORGET_TIMES * self.usual_ms), 40)
        counted = min(step_ms, max(pause_ms, _USUAL_TIMES * self.usual_ms))
        self.usual_ms = max(self.usual_ms, min(step_ms, 2 * max(self.usual_ms, _PAUSE_FROM_MS)))
        self.busy_ms = 0
        return counted


def arrivals_ms(readings: Readings) -> Int64Array:
    """Return the times [N] that advance the clock: the event time, or the record's own if that is earlier and known."""
    stamps_ms = readings.stamps_ms
    if stamps_ms is None:
        return readings.times_ms
    return np.where(stamps_ms > 0, np.minimum(readings.times_ms, stamps_ms), readings.times_ms)
