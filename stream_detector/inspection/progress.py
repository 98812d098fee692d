"""Tells how far the detector is behind the input topic, and how fast it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.inspection.stored import Note

#: Two looks at the positions that are closer together tell no speed.
_LEAST_SECONDS = 0.5
#: Fewer records than these between two looks tell a speed badly: that of the last minute is told instead.
_FEWEST_RECORDS = 20
#: The minute over which a low speed is told.
RECENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """A partition of the input topic."""

    partition: int
    end: int  # the end of its log
    committed: Note | None  # None: the group has committed no position
    recent: int | None = None  # first position of the last minute, by the records' timestamps; None: it has no records
    share: float = 1.0  # of its newest positions that hold records; the others hold marks of transactions
    waiting: int | None = None  # records that are not committed; None: each position that is not holds one

    @property
    def position(self) -> int:
        """Return the committed position; 0 if there is none."""
        return self.committed.position if self.committed else 0

    @property
    def lag(self) -> int | None:
        """Return how many records are not committed; None without a committed position."""
        if self.committed is None:
            return None
        return max(0, self.end - self.committed.position) if self.waiting is None else self.waiting


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """The consumer group and its positions at one moment."""

    at_s: float  # on a clock that only goes forwards
    partitions: tuple[PartitionProgress, ...]  # none: there is no input topic
    members: int
    group_state: str  # as Kafka names it: Stable, Empty, ...

    @property
    def lag(self) -> int:
        """Return how many records are not committed, over the partitions with a committed position."""
        return sum(one.lag or 0 for one in self.partitions)

    @property
    def total_end(self) -> int:
        """Return the sum of the ends."""
        return sum(one.end for one in self.partitions)

    @property
    def total_committed(self) -> int:
        """Return the sum of the committed positions."""
        return sum(one.position for one in self.partitions)

    @property
    def has_committed(self) -> bool:
        """Return whether the group has a position in any partition."""
        return any(one.committed for one in self.partitions)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast records arrive and are committed, per second; None: not known yet."""

    arriving: float | None
    committed: float | None


def record_share(offsets: Sequence[int], end: int) -> float:
    """Return the share of the positions from the first of these to the end that hold records; 1 if there are none.

    `offsets` are those of a partition's newest records, ascending. What a transaction wrote ends with a mark, which takes a
    position.
    """
    return len(offsets) / (max(end, offsets[-1] + 1) - offsets[0]) if offsets else 1.0


def records_waiting(offsets: Sequence[int], position: int, end: int) -> int:
    """Return how many records are from a position to the end of a partition, without the marks of transactions.

    `offsets` are those of its newest records, ascending; before the first of them, as many positions hold records as after it.
    """
    known = sum(position <= offset < end for offset in offsets)
    if not offsets or offsets[0] <= position:
        return known
    return known + round((offsets[0] - position) * record_share(offsets, end))


def speed_between(earlier: GroupProgress | None, later: GroupProgress) -> Speed:
    """Return the speed between two looks; of few records, that of the last minute, if their timestamps tell it.

    Positions count by the share of them that holds records.
    """
    seconds = later.at_s - earlier.at_s if earlier else 0.0
    if earlier is None or seconds < _LEAST_SECONDS or len(earlier.partitions) != len(later.partitions):
        return Speed(None, None)
    pairs = list(zip(earlier.partitions, later.partitions, strict=True))
    ends = sum((new.end - old.end) * new.share for old, new in pairs)
    positions = sum((new.position - old.position) * new.share for old, new in pairs)
    known = [(one, one.recent) for one in later.partitions if one.recent is not None]
    arrived = sum(max(0, one.end - recent) * one.share for one, recent in known)
    dealt = sum(max(0, one.position - recent) * one.share for one, recent in known)
    return Speed(_speed(ends, seconds, arrived), _speed(positions, seconds, dealt))


def _speed(records: float, seconds: float, of_the_minute: float) -> float:
    if records >= _FEWEST_RECORDS or not of_the_minute:
        return max(0.0, records / seconds)
    return of_the_minute / RECENT_SECONDS
