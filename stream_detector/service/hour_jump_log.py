"""Hints at the time zone when the times of several sensors go back by exactly an hour at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from stream_detector.settings.schema import PREFIX
from stream_detector.state.sensor_names import listed

logger = logging.getLogger(__name__)

#: So many sensors within so long are no coincidence. Then the hint is not repeated for a day.
_SENSORS, _TOGETHER_SECONDS, _PAUSE_SECONDS = 2, 900.0, 86_400.0
_MOST = 10_000


class HourJumpLog:
    """Gathers sensors, and says the hint once."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}
        self._since = float("-inf")
        self._next_at = float("-inf")

    def observe(self, found: Mapping[str, int], now: float) -> None:
        """Look at the sensors whose times went back in a step, each with the minutes."""
        if not found or now < self._next_at:
            return
        if now - self._since > _TOGETHER_SECONDS:
            self._found, self._since = {}, now
        if len(self._found) < _MOST:
            self._found.update(found)
        if len(self._found) < _SENSORS:
            return
        minutes = max(self._found.values())
        logger.warning(
            "the times of %d sensors went back by %s at once: %s. If that is the end of summer time, their times have no zone, "
            "and readings of an hour are dropped as late: set %sINPUT__TIME_ZONE, such as Europe/Berlin (train and score: "
            "--time-zone)",
            len(self._found),
            "an hour" if minutes == 60 else "half an hour",
            listed(sorted(self._found), len(self._found)),
            PREFIX,
            extra={"sensors": len(self._found), "minutes": minutes},
        )
        self._found, self._next_at = {}, now + _PAUSE_SECONDS
