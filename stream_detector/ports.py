"""The pipeline's interfaces to the outside world, as Protocols.

Every port but Decoder has a fake, and a contract suite in tests/contracts that the fake and the real adapter both pass.
Partitions are those of the input topic. A position is the offset of the next record to read.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from stream_detector.detection.open_incidents import OpenIncident
from stream_detector.ingest.memory import Memory
from stream_detector.ingest.reading_checks import ReadingChecks
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
    """The result of a poll: the chunks read, and how the assignment changed since the last poll.

    `revoked` is applied before `assigned`; a partition may be in both. Newly assigned partitions are paused and have no
    position. Once their state is restored, the pipeline seeks them, which resumes them.
    `membership` belongs to exactly these chunks; None means that the client is not a member now: the chunks must be dropped.
    """

    chunks: tuple[Chunk, ...]
    membership: Membership | None
    revoked: frozenset[int] = frozenset()
    assigned: frozenset[int] = frozenset()
    lost_readings: int = 0  # offsets skipped because the log is unreadable there


class Source(Protocol):
    """The input topic, read as a member of a consumer group. Every call is bounded in time."""

    def poll(self, timeout_seconds: float) -> Polled:
        """Read available records of the resumed partitions, up to a configured number. Keeps the membership alive."""

    def committed(self, partition: int) -> int | None:
        """Return the group's committed position, waiting for open transactions to end; None if there is none."""

    def note(self, partition: int) -> str:
        """Return the note that was committed with the group's position; empty if there is none."""

    def partitions(self) -> frozenset[int]:
        """Return the current partitions of the input topic."""

    def ends(self) -> Mapping[int, int]:
        """Return the end of the log (the last stable position) of every partition of the topic, in one request or two."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the log's first position and its end (the last stable position)."""

    def position_at(self, partition: int, time_ms: int) -> int:
        """Return the first position whose record's timestamp is at or after a time; the end if there is none."""

    def topic_id(self) -> str:
        """Return the identity of the topic, which changes when a topic is deleted and recreated."""

    def seek(self, partition: int, position: int) -> None:
        """Set the next position to read in an assigned partition, and resume it."""

    def pause(self, partitions: Sequence[int]) -> None:
        """Stop reading assigned partitions until the next `seek` or `resume`."""

    def resume(self, partitions: Sequence[int]) -> None:
        """Go on reading assigned partitions that were paused, where they were. Each has been sought since it was assigned."""

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """Read from `start`, at most to `stop` and at most `max_records`, outside the group, to restore state.

        The chunk makes progress (chunk.stop > start) whenever start < stop. Raises RetriableError on time-out.
        """

    def close(self) -> None:
        """Leave the group (unless a static member) and release everything. Idempotent."""


#: Brokers refuse a longer note by default (offset.metadata.max.bytes is 4096).
MAXIMUM_NOTE_BYTES = 4000
NO_NOTES: Mapping[int, str] = MappingProxyType({})


class Sink(Protocol):
    """The alerts and dead-letter topics, and the group's positions, written together or not at all."""

    def commit(
        self,
        messages: Sequence[Message],
        positions: Mapping[int, int],
        membership: Membership,
        notes: Mapping[int, str] = NO_NOTES,
    ) -> None:
        """Write messages and positions in one transaction. Blocks, bounded.

        A position takes its note with it: a short ASCII text, at most MAXIMUM_NOTE_BYTES. Without one, the note becomes empty.
        Raises CommitFailedError if the transaction failed or its outcome is unknown, MembershipLostError if it failed because
        the membership has ended; call `reset()` before using the sink again. Raises PermanentDeliveryError or FencedError if a
        retry cannot succeed.
        """

    def reset(self) -> None:
        """Abandon and fence any open transaction, and start over. Blocks, bounded; raises CommitFailedError on time-out."""

    def close(self) -> None:
        """Release everything. Idempotent, bounded."""


@dataclass(frozen=True, slots=True)
class PartitionMeta:
    """A partition's metadata in the store. The stored state includes every record before `next_position`."""

    next_position: int  # negative: the state is being rebuilt and is not usable
    epoch: bytes  # 8 random bytes; state of another epoch reads as absent
    layout: str
    topic_id: str
    note: str = ""  # what the partition as a whole has learned up to `next_position`


@dataclass(frozen=True, slots=True)
class SensorUpdate:
    """A sensor's new state, of which only a part has changed.

    `record` is the full state. If the stored value (after its epoch) begins with `expected_prefix`, it has the record's
    length, and only the `spans` (start and stop byte in `record`) need to be written. Otherwise the full record is written.
    """

    sensor: str
    record: bytes
    expected_prefix: bytes
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Updates:
    """New state of sensors and of their partition. Each sensor is either in `whole`, with its full record, or in `changed`."""

    whole: Mapping[str, bytes]
    changed: Sequence[SensorUpdate] = ()
    note: str = ""  # replaces that of PartitionMeta
    kept: Mapping[str, bytes] = field(default_factory=dict)  # of the partition, by name; others stay as they are


class Keeper(Protocol):
    """Keeps something of a partition beside its sensors' state, which moves with the stored position (Updates.kept)."""

    def unsaved(self, partition: int, position: int) -> Mapping[str, bytes]:
        """Return what the store lacks, as of a position; nothing as of a negative one."""

    def saved(self, partition: int, position: int) -> None:
        """Record that the store has what `unsaved` returned last, as of this position."""

    def mark_lost(self, partition: int) -> None:
        """Record that the store may have lost what it kept of a partition."""


class StoreVerdict(enum.Enum):
    """The store's answer to a persist."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"  # our own retry
    AHEAD = "ahead"  # another owner has written further: reset the partition
    GAP = "gap"  # the store lost data or never had it: rewrite the partition from memory


@dataclass(frozen=True, slots=True)
class Scanned:
    """Some stored sensors with their state, and the cursor with which to go on; empty: that was all."""

    records: Mapping[str, bytes]
    cursor: str


class StateStore(Protocol):
    """Durable state of the sensors, by partition. It follows the log; it never leads.

    Every method raises StoreUnavailableError when the store does not answer in time.
    """

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read a partition's metadata; None if there is none."""

    def begin(self, partition: int, meta: PartitionMeta) -> None:
        """Replace a partition's metadata. A new epoch makes all its stored sensors absent."""

    def load(self, partition: int, epoch: bytes, sensors: Sequence[str]) -> list[bytes | None]:
        """Read the state of sensors, in order; None where absent or of another epoch."""

    def scan(self, partition: int, epoch: bytes, cursor: str, count: int) -> Scanned:
        """Read some of a partition's stored sensors, about `count` of them, or none. The first cursor is empty.

        Passing on the cursors until one is empty again finds each sensor that is stored all the time, perhaps more than once,
        but not those with very long names.
        """

    def kept(self, partition: int) -> Mapping[str, bytes]:
        """Read what is kept of a partition (Updates.kept), whatever its epoch."""

    def persist(self, partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        """Move a partition's state from position `start` to `stop`, all or nothing. Idempotent."""

    def ping(self) -> None:
        """Check that the store can be read and written."""

    def close(self) -> None:
        """Release everything. Idempotent."""


class IncidentLog(Protocol):
    """The alerts topic, read back when the store has lost the incidents."""

    def open_incidents(self, partition: int, position: int) -> list[OpenIncident]:
        """Return a partition's open incidents, according to the events of its readings before a position.

        Blocks, bounded; searches a bounded number of events. Raises RetriableError if the topic cannot be read.
        """


class Decoder(Protocol):
    """Decodes batches of records into readings.

    JsonDecoder reads the native format, ShapedDecoder all others. The pipeline's tests use them too, so there is no fake and no
    contract suite.
    """

    checks: ReadingChecks
    memory: Memory | None  # what a record means may depend on records before it: they are in memory, and stored

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into readings, a rejection, both, or nothing. Never raises because of a record's content."""

    def learn(self, records: Sequence[Record]) -> None:
        """Bring what `memory` needs of records into it, without decoding their readings. Never raises because of content."""
