"""Logs what rules find: which feature of which sensor is gone, and when it is back."""

from __future__ import annotations

import logging
from collections import Counter

from stream_detector.detection.transition import ANOMALY, CLOSED, OPENED
from stream_detector.pipeline.step_report import StepReport

logger = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0
#: Lines a minute; further incidents of that minute are only counted.
_LINES = 20


class RulesLog:
    """Logs an incident of a rule when it opens and when it closes, at most so many lines a minute."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._lines = 0
        self._others: Counter[tuple[str, str]] = Counter()

    def observe(self, report: StepReport, now: float) -> None:
        """Log the incidents of a step; count those beyond the limit, and log the counts when the minute is over."""
        if now - self._since >= _MINUTE_SECONDS:
            self.flush(now)
        changes = Counter[tuple[str, str]]()
        for (kind, status), count in report.alerts.items():
            if kind != ANOMALY and status in (OPENED, CLOSED):
                changes[kind, status] = count
        told = report.rule_lines[: _LINES - self._lines]
        for line in told:
            logger.info("%s", line)
        self._lines += len(told)
        if changes.total() > len(told):
            self._others.update(changes)

    def flush(self, now: float) -> None:
        """Log the counts of the steps of which not every line was logged."""
        if self._others:
            found = ", ".join(f"{count} {kind} {status}" for (kind, status), count in self._others.most_common())
            logger.info("incidents of rules, not all of them logged above, in the last %.0f s: %s", now - self._since, found)
        self._since, self._lines, self._others = now, 0, Counter()
