"""A circuit breaker around the state store.

After a failure, requests fail at once until a pause is over, so that an unreachable store does not slow the stream. A store
that answers again may have lost data, so every partition is checked then. The guard does not know what is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import PartitionMeta, StateStore

logger = logging.getLogger(__name__)


class StoreGuard:
    """The only access to the store. Not thread-safe; `lend` passes the store to another thread."""

    def __init__(self, store: StateStore, clock: Callable[[], float], retry_seconds: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._away_since: float | None = None
        self._retry_at = 0.0
        self._is_lent = False
        self._checks = 0

    @property
    def is_away(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._away_since is not None

    @property
    def away_seconds(self) -> float:
        """How long ago it first failed to answer; 0 while it answers."""
        return 0.0 if self._away_since is None else self._clock() - self._away_since

    @property
    def required_check(self) -> int:
        """The number of the newest check that each partition needs."""
        return self._checks

    def require_check(self) -> None:
        """Have every partition checked at its next persist: the store may have lost data."""
        self._checks += 1

    @contextmanager
    def asking(self) -> Iterator[StateStore]:
        """Yield the store for a request; raises StoreUnavailableError at once in the pause after a failure.

        Raises RuntimeError while the store is lent to another thread.
        """
        if self._is_lent:
            msg = "a request while the store is lent to another thread: take it back first"
            raise RuntimeError(msg)
        if self._away_since is not None and self._clock() < self._retry_at:
            msg = "the state store did not answer a moment ago"
            raise StoreUnavailableError(msg)
        try:
            yield self._store
        except StoreUnavailableError as error:
            self._failed(error)
            raise
        self._answered()

    def lend(self) -> StateStore:
        """Return the store for another thread; no other request may be made before `take_back`."""
        self._is_lent = True
        return self._store

    def take_back(self) -> None:
        """Record that the other thread has finished with the store."""
        self._is_lent = False

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read a partition's metadata; raises StoreUnavailableError."""
        with self.asking() as store:
            return store.meta(partition)

    def answers(self) -> bool:
        """Ping the store and return whether it answers. In the pause after a failure, return False without a ping."""
        try:
            with self.asking() as store:
                store.ping()
        except StoreUnavailableError:
            return False
        return True

    def _failed(self, error: StoreUnavailableError) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            text = "the state store is away: %s. Sensors in memory continue, others wait"
            logger.error(text, str(error).rstrip("."))
        self._retry_at = self._clock() + self._retry_seconds

    def _answered(self) -> None:
        if self._away_since is not None:
            logger.warning("the state store answers again after %.1f s", self._clock() - self._away_since)
            self._away_since = None
            self.require_check()
