"""The ends of the input topic's partitions, asked for no more often than needed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping

from stream_detector.errors import RetriableError
from stream_detector.logs import OutageLog
from stream_detector.ports import Source

logger = logging.getLogger(__name__)


class LogEnds:
    """The newest known ends, and whether the partitions of others have moved."""

    def __init__(self, source: Source, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._asked_at = -math.inf
        self._ends: Mapping[int, int] = {}
        self._seen: Mapping[int, int] = {}
        self._outage = OutageLog(logger, clock)

    def ends(self, longest_seconds: float) -> Mapping[int, int]:
        """Return the ends as of so many seconds ago at most; none if the brokers do not answer."""
        if self._clock() - self._asked_at >= longest_seconds:
            self._asked_at = self._clock()
            try:
                self._ends = self._source.ends()
            except RetriableError as error:
                self._outage.failed("the ends of the input topic are not known: %s", error)
                self._ends = {}
            else:
                self._outage.ended()
        return self._ends

    def have_moved(self, longest_seconds: float, *, beside: Collection[int]) -> bool:
        """Return whether any partition but these has grown since the last call."""
        before, self._seen = self._seen, self.ends(longest_seconds) or self._seen
        return any(end > before.get(number, end) for number, end in self._seen.items() if number not in beside)
