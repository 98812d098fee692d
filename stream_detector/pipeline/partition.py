"""A partition that this replica owns, and how far it is read, committed and persisted.

The delivery guarantee rests on three positions: `persisted` <= `committed` <= `next`, and none of them ever decreases. So the
store never leads the log, and no committed record is read again as new. Only a restoration may reset them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

#: The position from which a rebuild counts its slices upwards. A negative position marks state that is not usable yet.
REBUILDING = -(1 << 40)


@dataclass(slots=True)
class Partition:
    """An assigned partition. Every restore starts with a new object.

    Its methods raise ValueError, and change nothing, if a position would decrease or the store would lead.
    """

    number: int
    topic_id: str = ""
    epoch: bytes = b""  # of its stored state
    restored: bool = False  # every sensor of the partition is in memory or in the store
    is_loaded: bool = False  # every sensor of the partition was brought into memory; some may have been evicted since
    checked_at: int = 0  # the newest check (StoreGuard.required_check) that found the stored state intact
    rewriting: bool = False  # the store has lost this partition, and the rewrite is not complete yet
    _next: int = field(default=REBUILDING, init=False)
    _committed: int = field(default=REBUILDING, init=False)
    _persisted: int = field(default=REBUILDING, init=False)

    @property
    def next(self) -> int:
        """The state in memory includes every record before this position. Those from `committed` on are not committed yet."""
        return self._next

    @property
    def committed(self) -> int:
        """Every record before this position is committed."""
        return self._committed

    @property
    def persisted(self) -> int:
        """The stored state includes every record before this position."""
        return self._persisted

    @property
    def unsaved(self) -> bool:
        """Whether memory is ahead of the store."""
        return self._persisted < self._next

    def appended_to(self, position: int) -> None:
        """Record that memory includes every record before a position."""
        self._check("appended", self._next, position)
        self._next = position

    def committed_to(self, position: int) -> None:
        """Record that every record before a position is committed."""
        self._check("committed", self._committed, position, self._next)
        self._committed = position

    def persisted_to(self, position: int) -> None:
        """Record that the store has the state as of a position: up to `committed`, or up to `next` while restoring."""
        self._check("persisted", self._persisted, position, self._committed if self.restored else self._next)
        self._persisted = position

    def found_stored(self, epoch: bytes, position: int) -> None:
        """Start a restoration with the epoch and position of the stored state, which may be ahead of the committed one."""
        self._check_restoring()
        self.epoch, self._persisted = epoch, position

    def continue_from_stored(self) -> None:
        """Use the stored state as the state in memory: sensors are loaded when they are needed."""
        self._check_restoring()
        self._next = self._persisted

    def started_epoch(self, epoch: bytes, position: int) -> None:
        """Record that the stored state is empty and starts over at a position, in a rebuild or a rewrite."""
        self.epoch, self._persisted = epoch, position

    def finish_restoring(self) -> None:
        """Record that memory and store are at the committed position: the partition is ready."""
        self._check_restoring()
        self._committed, self.restored = self._next, True

    def _check(self, verb: str, start: int, stop: int, limit: int | None = None) -> None:
        if stop < start or (limit is not None and stop > limit):
            bound = "" if limit is None else f", at most {limit}"
            msg = f"partition {self.number} cannot be {verb} to {stop}: it is at {start}{bound}"
            raise ValueError(msg)

    def _check_restoring(self) -> None:
        if self.restored:
            msg = f"partition {self.number} is restored: its positions only move forward"
            raise ValueError(msg)


def store_lag(partitions: Iterable[Partition]) -> int:
    """Return how many offsets the store lags behind the committed positions."""
    return sum(partition.committed - partition.persisted for partition in partitions)
