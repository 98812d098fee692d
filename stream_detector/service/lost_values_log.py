"""Logs whose features lack values because something else stood there, and how many records had no value at all."""

from __future__ import annotations

import logging
from collections import Counter

from stream_detector.pipeline.step_report import StepReport
from stream_detector.readings import Lost
from stream_detector.values import describe_lost

logger = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0
#: Kinds of values that are counted apart; of further ones only feature and reason are kept.
_MOST_KINDS = 10_000


class LostValuesLog:
    """Logs the first at once, then a summary per minute. Its memory is bounded."""

    def __init__(self, now: float) -> None:
        self._since = self._next_at = now
        self._lost: Counter[Lost] = Counter()
        self._tombstones = 0

    def observe(self, report: StepReport, now: float) -> None:
        """Count the unusable values and tombstones of a step; log them if the last lines are old enough."""
        for kind, count in report.lost_values.items():
            known = kind in self._lost or len(self._lost) < _MOST_KINDS
            self._lost[kind if known else kind._replace(sensor="other sensors", found="other values")] += count
        self._tombstones += report.tombstones
        if now >= self._next_at:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Log the counts since the last lines, unless all are zero."""
        if not self._lost and not self._tombstones:
            return
        seconds = now - self._since
        for line in describe_lost(self._lost):
            logger.warning("missing in the last %.0f s: %s", seconds, line, extra={"missing_values": self._lost.total()})
        if self._tombstones:
            text = "skipped %d records without a value in the last %.0f s"
            logger.info(text, self._tombstones, seconds, extra={"tombstones": self._tombstones})
        self._lost, self._tombstones = Counter(), 0
        self._since, self._next_at = now, now + _MINUTE_SECONDS
