"""Warns of sensors that never have a full window, because gaps restart it before: they are scored by few readings, or never."""

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
            "%s a full window, because gaps restart it before there are %d readings in a row: %s. A sensor that the model "
            "knows is scored by the few that there are, any other is never scored. "
            "STREAM_DETECTOR_STATE__MAX_GAP_SECONDS allows longer gaps; a model trained with a shorter --window-length needs "
            "fewer readings. Check that all readings of a sensor have the same key",
            "1 sensor never has" if found.count == 1 else f"{found.count:,} sensors never have",
            found.window_length,
            listed(names, found.count, are_shown=True),
            extra={"unfilled_sensors": found.count},
        )
