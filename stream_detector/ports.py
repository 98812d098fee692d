"""What the pipeline needs of the outside world, as Protocols.

Every port but Decoder has a fake, and a contract suite in tests/contracts that the fake and the real adapter both pass.
Partitions are those of the one input topic; a position is the offset of the next record to read.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream_detector.detection.open_incidents import OpenIncident
from stream_detector.readings import Decoded, Membership, Message, Record


@dataclass(frozen=True, slots=True)
class Chunk:
    """A contiguous span of one partition's log: everything from position `start` up to, not including, `stop`.

    `records` may have gaps (compaction, transaction markers) and may be empty although stop > start.
    """

    partition: int
    start: int
    stop: int
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Polled:
    """One poll: what was read, and how the assignment changed since the last poll.

    `revoked` is applied before `assigned`; a partition may be in both. Newly assigned partitions are paused, without a
    position: the pipeline seeks them when their state is restored, which resumes them.
    `membership` belongs to exactly these chunks; None means that the client is not a member now: the chunks must be dropped.
    """

    chunks: tuple[Chunk, ...]
    membership: Membership | None
    revoked: frozenset[int] = frozenset()
    assigned: frozenset[int] = frozenset()
    lost_readings: int = 0  # offsets passed over because what the log holds there cannot be read


class Source(Protocol):
    """The input topic, read as a member of a consumer group. Every call is bounded in time."""

    def poll(self, timeout_seconds: float) -> Polled:
        """Read what is there of the resumed partitions, up to a configured number of records. Keeps the membership alive."""

    def committed(self, partition: int) -> int | None:
        """Return the group's committed position, waiting for open transactions to end; None if there is none."""

    def partitions(self) -> frozenset[int]:
        """Return the partitions that the input topic has now."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the log's first position and its end (the last stable position)."""

    def position_at(self, partition: int, time_ms: int) -> int:
        """Return the first position whose record's timestamp is at or after a time; the end if there is none."""

    def topic_id(self) -> str:
        """Return the identity of the topic, which changes when a topic is deleted and recreated."""

    def seek(self, partition: int, position: int) -> None:
        """Set where an assigned partition is read next, and resume it."""

    def pause(self, partitions: Sequence[int]) -> None:
        """Stop reading assigned partitions until the next `seek`."""

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """Read a span outside the group (for restoring): from `start`, at most to `stop`, at most `max_records`.

        Returns a chunk that makes progress (chunk.stop > start) whenever start < stop; raises RetriableError on time-out.
        """

    def close(self) -> None:
        """Leave the group (unless a static member) and release everything. Idempotent."""


class Sink(Protocol):
    """The alerts and dead-letter topics, and the group's positions, written together or not at all."""

    def commit(self, messages: Sequence[Message], positions: Mapping[int, int], membership: Membership) -> None:
        """Write messages and positions in one transaction. Blocks, bounded.

        Raises CommitFailedError when it failed or its outcome is unknown, MembershipLostError when it failed because the
        membership is over; the sink is then fit for use again after `reset()`. Raises PermanentDeliveryError or FencedError
        when trying again cannot help.
        """

    def reset(self) -> None:
        """Abandon whatever is open, fence it, and start over. Blocks, bounded; raises CommitFailedError on time-out."""

    def close(self) -> None:
        """Release everything. Idempotent, bounded."""


@dataclass(frozen=True, slots=True)
class PartitionMeta:
    """What the store knows of a partition: the state includes every record before `next_position`."""

    next_position: int  # negative: the state is being rebuilt and is not usable
    epoch: bytes  # 8 random bytes; state of another epoch reads as absent
    layout: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class SensorUpdate:
    """New state of one sensor, of which a part has changed.

    `record` is the whole state. Where what is stored begins with `expected_prefix` (after the epoch), that has the record's
    length, and only the `spans` (byte start, byte stop of `record`) need be written; else it is written whole.
    """

    sensor: str
    record: bytes
    expected_prefix: bytes
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Updates:
    """New state of sensors, each in one of the two."""

    whole: Mapping[str, bytes]
    changed: Sequence[SensorUpdate] = ()


class StoreVerdict(enum.Enum):
    """How a store answered a persist."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"  # our own retry
    AHEAD = "ahead"  # another owner has written further: reset the partition
    GAP = "gap"  # the store lost data or never had it: rewrite the partition from memory


class StateStore(Protocol):
    """Durable state of the sensors, by partition. It follows the log; it never leads.

    Every method raises StoreUnavailableError when the store does not answer in time.
    """

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read a partition's meta; None if there is none."""

    def begin(self, partition: int, meta: PartitionMeta) -> None:
        """Replace a partition's meta: with a new epoch all its sensors are absent from now on."""

    def load(self, partition: int, epoch: bytes, sensors: Sequence[str]) -> list[bytes | None]:
        """Read the state of sensors, in order; None where absent or of another epoch."""

    def persist(self, partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        """Move a partition's state from position `start` to `stop`, all or nothing. Idempotent."""

    def ping(self) -> None:
        """Return if the store can be read and written."""

    def close(self) -> None:
        """Release everything. Idempotent."""


class IncidentLog(Protocol):
    """The alerts topic, read back when the store has lost the incidents."""

    def open_incidents(self, partition: int, position: int) -> list[OpenIncident]:
        """Return the incidents that the events of a partition's readings before a position leave open.

        Blocks, bounded; looks back over a bounded number of events. Raises RetriableError when it cannot be read.
        """


class Decoder(Protocol):
    """Bytes to readings, in batches.

    JsonDecoder is the only implementation, in tests of the pipeline too: it has no fake and no contract suite.
    """

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into one reading or one rejection; never raises on what the records hold."""
