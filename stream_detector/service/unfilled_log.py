"""Warns of sensors that are never scored, because gaps restart their windows before these are full."""

from __future__ import annotations

import logging

from stream_detector.detection.unfilled import Unfilled
from stream_detector.state.sensor_names import listed
from stream_detector.timestamps import duration

logger = logging.getLogger(__name__)

_HOUR_SECONDS = 3600.0


class UnfilledLog:
    """Warns when there are such sensors, and when there are more of them, at most once an hour."""

    def __init__(self) -> None:
        self._logged = 0
        self._next_at = float("-inf")

    def observe(self, found: Unfilled, now: float) -> None:
        """Look at the sensors that there are now."""
        if found.count <= self._logged:
            self._logged = min(self._logged, found.count)
            return
        if now < self._next_at:
            return
        self._logged, self._next_at = found.count, now + _HOUR_SECONDS
        names = [f"{listed([name], 1)} (a reading about every {duration(seconds)})" for name, seconds in found.some]
        logger.warning(
            "%s never scored, because gaps restart %s before there are %d readings in a row: %s. "
            "STREAM_DETECTOR_STATE__MAX_GAP_SECONDS allows longer gaps; a model trained with a shorter --window-length needs "
            "fewer readings. Check that all readings of a sensor have the same key",
            "1 sensor is" if found.count == 1 else f"{found.count:,} sensors are",
            "its window" if found.count == 1 else "their windows",
            found.window_length,
            listed(names, found.count, are_shown=True),
            extra={"unfilled_sensors": found.count},
        )
