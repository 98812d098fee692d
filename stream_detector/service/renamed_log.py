"""Logs which tags may have new names."""

from __future__ import annotations

import logging
from collections.abc import Sequence

logger = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0
#: Lines a minute; further questions of that minute are only counted.
_LINES = 5


class RenamedLog:
    """Logs the first questions of a minute at once, and how many more there were when it is over."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._lines = self._others = 0

    def observe(self, questions: Sequence[str], now: float) -> None:
        """Log the questions of a step."""
        if now - self._since >= _MINUTE_SECONDS:
            self.flush(now)
        told = questions[: _LINES - self._lines]
        for line in told:
            logger.warning("%s", line)
        self._lines += len(told)
        self._others += len(questions) - len(told)

    def flush(self, now: float) -> None:
        """Log the count of the questions that were not logged."""
        if self._others:
            logger.warning("%d more tags may have been renamed, in the last %.0f s", self._others, now - self._since)
        self._since, self._lines, self._others = now, 0, 0
