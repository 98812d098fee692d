"""How long partitions have been idle, as far as that tells about their sensors. Time is an argument.

A partition is idle while readings arrive in others but none in it. The time in which nothing arrives anywhere does not count:
then the input as a whole is silent, which tells nothing about any sensor. Nor does time in which nobody looked: a process that
was suspended or held its partitions learns nothing about them.
"""

from __future__ import annotations

from collections.abc import Iterable

#: Two looks further apart than this count as so far apart: in between, readings may have come that nobody saw.
_LONGEST_LOOK_S = 5.0


class Activity:
    """Where readings arrived, and when. Seconds."""

    def __init__(self) -> None:
        self._active_s = 0.0  # time in which readings arrived somewhere
        self._quiet_s = 0.0  # time since the last of them
        self._looked_at: float | None = None
        self._last_s: dict[int, float] = {}  # active time of a partition's newest reading

    @property
    def quiet_s(self) -> float:
        """For how long nothing at all has arrived."""
        return self._quiet_s

    def look(self, now: float, arrived_in: Iterable[int], *, elsewhere: bool, longest_quiet_s: float) -> None:
        """Note in which of our partitions readings have arrived since the last look, and whether any did in others.

        A time without any reading counts as active unless it was `longest_quiet_s` or more.
        """
        if self._looked_at is not None:
            self._quiet_s += min(now - self._looked_at, _LONGEST_LOOK_S)
        self._looked_at = now
        partitions = set(arrived_in)
        if partitions or elsewhere:
            self._active_s += self._quiet_s if self._quiet_s < longest_quiet_s else 0.0
            self._quiet_s = 0.0
            self._last_s.update(dict.fromkeys(partitions, self._active_s))

    def idle_s(self, partition: int) -> int:
        """Return for how long readings have arrived in others but none in this partition; whole seconds."""
        return int(self._active_s - self._last_s.setdefault(partition, self._active_s))

    def forget(self, partition: int) -> None:
        """Start over for a partition that was not being read."""
        self._last_s.pop(partition, None)
