"""Stops reading while the store lags too far behind or a partition's sensors cannot be loaded, and resumes by itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from stream_detector.pipeline.config import LagBounds
from stream_detector.pipeline.partition import Partition, store_lag
from stream_detector.pipeline.store_guard import StoreGuard
from stream_detector.ports import Source

logger = logging.getLogger(__name__)


class Backpressure:
    """Holds partitions: they are paused until the store answers and has all committed state."""

    def __init__(self, source: Source, guard: StoreGuard, bounds: LagBounds) -> None:
        self._source = source
        self._guard = guard
        self._bounds = bounds
        self._held: set[int] = set()

    @property
    def held(self) -> frozenset[int]:
        """The partitions that are not read."""
        return frozenset(self._held)

    def hold(self, positions: Mapping[int, int]) -> None:
        """Stop reading partitions until the store answers; they continue from these positions."""
        fresh = positions.keys() - self._held
        if fresh:
            logger.error("holding partitions %s until the state store answers", sorted(fresh))
        for number, position in positions.items():
            self._source.seek(number, position)
        self._source.pause(list(positions))
        self._held |= positions.keys()

    def forget(self, number: int) -> None:
        """Stop holding a partition that was revoked or is being restored."""
        self._held.discard(number)

    def forget_all(self) -> None:
        """Stop holding partitions: all are being restored."""
        self._held.clear()

    def adjust(self, partitions: Mapping[int, Partition]) -> None:
        """Hold all ready partitions if the store lags too far; resume them once it answers and has all committed state."""
        answers = bool(self._held) and self._guard.answers()  # ping first: perhaps nothing else sends the store a request
        if self._must_hold(partitions):
            self.hold({number: one.next for number, one in partitions.items() if number not in self._held})
        elif answers and not store_lag(partitions.values()):
            for number in self._held:
                self._source.seek(number, partitions[number].next)
            self._held.clear()
            logger.warning("the state store answers: reading continues")

    def _must_hold(self, partitions: Mapping[int, Partition]) -> bool:
        if not self._guard.is_away:
            return False
        return store_lag(partitions.values()) > self._bounds.readings or self._guard.away_seconds > self._bounds.seconds
