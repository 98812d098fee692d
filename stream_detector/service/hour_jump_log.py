"""Hints at the time zone when the times of sensors go back by exactly an hour."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from stream_detector.settings.group import PREFIX
from stream_detector.state.sensor_names import listed

logger = logging.getLogger(__name__)

#: The hint is not repeated for a day.
_PAUSE_SECONDS = 86_400.0


class HourJumpLog:
    """Says the hint once a day."""

    def __init__(self) -> None:
        self._next_at = float("-inf")

    def observe(self, found: Mapping[str, int], now: float) -> None:
        """Look at the sensors whose times went back in a step, each with the minutes."""
        if not found or now < self._next_at:
            return
        self._next_at = now + _PAUSE_SECONDS
        minutes, count = max(found.values()), len(found)
        logger.warning(
            "the times of %s went back by %s: %s. If that is the end of summer time, they have no zone, and an hour is "
            "dropped as late or counts on another clock: set %sINPUT__TIME_ZONE, such as Europe/Berlin (train and score: "
            "--time-zone). Otherwise a clock was set back",
            "a sensor" if count == 1 else f"{count} sensors",
            "an hour" if minutes == 60 else "half an hour",
            listed(sorted(found), count),
            PREFIX,
            extra={"sensors": count, "minutes": minutes},
        )
