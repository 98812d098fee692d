"""Says once which sensors of the model have not been heard: perhaps they are missing, or named differently in the stream."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from stream_detector.detection.detector import Detector
from stream_detector.pipeline.log_ends import LogEnds
from stream_detector.pipeline.partition import Partition

logger = logging.getLogger(__name__)

_NAMED = 5
#: A replica must have read for so many typical limits of a silence: by then every sensor had its chance.
_LIMITS = 2.0


class RollCall:
    """Calls the roll once, if this replica has all partitions: otherwise a sensor may be with another."""

    def __init__(self, detector: Detector, ends: LogEnds) -> None:
        self._detector = detector
        self._ends = ends
        self._since = math.nan
        self._is_done = False

    def look(self, now: float, partitions: Mapping[int, Partition], typical_limit_s: float) -> None:
        """Call the roll if all these partitions have been in memory for long enough, and there are no others."""
        if self._is_done or math.isinf(typical_limit_s):
            return
        if math.isnan(self._since):
            self._since = now
        if now - self._since < _LIMITS * typical_limit_s:
            return
        self._is_done = True
        known = self._detector.known_sensors()
        if not known or self._detector.sensor_table.takes_any or self._ends.ends(0.0).keys() != partitions.keys():
            return
        arena = self._detector.arena
        absent = sorted(name for name in known if not any(arena.holds(number, name) for number in partitions))
        if absent:
            more = ", ..." if len(absent) > _NAMED else ""
            named = ", ".join(repr(name[:100]) for name in absent[:_NAMED])
            logger.warning("%d of the %d sensors of the model have not been heard: %s%s", len(absent), len(known), named, more)
