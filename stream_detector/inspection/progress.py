"""Tells how far the detector is behind the input topic, and how fast it reads."""

from __future__ import annotations

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
        return sum(max(0, one.end - one.committed.position) for one in self.partitions if one.committed)

    @property
    def total_end(self) -> int:
        """Return the sum of the ends."""
        return sum(one.end for one in self.partitions)

    @property
    def total_committed(self) -> int:
        """Return the sum of the committed positions."""
        return sum(one.committed.position for one in self.partitions if one.committed)

    @property
    def has_committed(self) -> bool:
        """Return whether the group has a position in any partition."""
        return any(one.committed for one in self.partitions)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast records arrive and are committed, per second; None: not known yet."""

    arriving: float | None
    committed: float | None


def speed_between(earlier: GroupProgress | None, later: GroupProgress) -> Speed:
    """Return the speed between two looks; of few records, that of the last minute, if their timestamps tell it."""
    seconds = later.at_s - earlier.at_s if earlier else 0.0
    if earlier is None or seconds < _LEAST_SECONDS or len(earlier.partitions) != len(later.partitions):
        return Speed(None, None)
    ends, positions = later.total_end - earlier.total_end, later.total_committed - earlier.total_committed
    known = [(one, one.recent) for one in later.partitions if one.recent is not None]
    arrived = sum(max(0, one.end - recent) for one, recent in known)
    dealt = sum(max(0, one.committed.position - recent) for one, recent in known if one.committed)
    return Speed(_speed(ends, seconds, arrived), _speed(positions, seconds, dealt))


def _speed(records: int, seconds: float, of_the_minute: int) -> float:
    if records >= _FEWEST_RECORDS or not of_the_minute:
        return max(0.0, records / seconds)
    return of_the_minute / RECENT_SECONDS
