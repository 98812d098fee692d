"""Kafka in memory: a log with topics, groups and transactions. memory_source.py and memory_sink.py work on it.

For tests of the pipeline. It behaves as the real adapters do (both pass one contract suite), without threads and without a
clock: things happen only inside calls, so a test decides when members join, die or lose partitions. It does not know
brokers, time-outs or open transactions: a transaction is appended in one call.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stream_detector.errors import PermanentDeliveryError
from stream_detector.readings import Header, Message


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A record of a topic in memory."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryMembership:
    """A proof of membership, valid while the group has this generation and this member."""

    group: str
    generation: int
    member: str
    instance: str | None


@dataclass(slots=True)
class _Partition:
    """Records by offset; offsets without a record are markers, aborted or compacted records."""

    start: int = 0
    end: int = 0
    offsets: list[int] = field(default_factory=list)
    records: list[MemoryRecord] = field(default_factory=list)

    def since(self, position: int, limit: int, stop: int) -> list[MemoryRecord]:
        """Return up to `limit` records from `position` up to `stop`."""
        first = bisect_left(self.offsets, position)
        last = min(bisect_left(self.offsets, stop, lo=first), first + limit)
        return self.records[first:last]


@dataclass(slots=True)
class _Topic:
    identity: str
    partitions: list[_Partition]


@dataclass(slots=True)
class _Group:
    """Members in the order of joining. A partition passes to its new owner once the old one has released it."""

    generation: int = 0
    partition_count: int = 0
    members: dict[str, str | None] = field(default_factory=dict)  # member -> instance
    owners: dict[int, str] = field(default_factory=dict)  # partition -> member that holds it
    targets: dict[int, str] = field(default_factory=dict)  # partition -> member that is to hold it
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    notes: dict[tuple[str, int], str] = field(default_factory=dict)

    def rebalance(self) -> None:
        """Start a new generation; partitions keep their owners as far as the balance allows."""
        self.generation += 1
        self.targets = {}
        count = len(self.members)
        quotas = {m: self.partition_count // count + (i < self.partition_count % count) for i, m in enumerate(self.members)}
        homeless = []
        for partition in range(self.partition_count):
            owner = self.owners.get(partition)
            if owner in quotas and quotas[owner] > 0:
                quotas[owner] -= 1
                self.targets[partition] = owner
            else:
                homeless.append(partition)
        places = (member for member, quota in quotas.items() for _ in range(quota))
        self.targets.update(zip(homeless, places, strict=False))
        for partition, target in self.targets.items():
            if self.owners.get(partition) not in self.members:
                self.owners[partition] = target

    def release(self, member: str) -> None:
        """Pass on the partitions that the member holds but no longer owns; if there are any, start a new generation."""
        leaving = [p for p, owner in self.owners.items() if owner == member and self.targets[p] != member]
        for partition in leaving:
            self.owners[partition] = self.targets[partition]
        self.generation += bool(leaving)

    def remove(self, member: str) -> None:
        """Forget a member."""
        del self.members[member]
        self.rebalance()

    def held_by(self, member: str) -> frozenset[int]:
        """Return the partitions that a member may read."""
        return frozenset(p for p, owner in self.owners.items() if owner == member and self.targets[p] == member)

    def member_of(self, instance: str | None) -> str | None:
        """Return the member with an instance id."""
        return next((m for m, name in self.members.items() if instance is not None and name == instance), None)


class MemoryLog:
    """Topics, committed positions and groups. Offsets of a partition only grow, until its topic is created again."""

    def __init__(self, *, max_message_bytes: int = 1_048_588) -> None:
        self.max_message_bytes = max_message_bytes
        self._topics: dict[str, _Topic] = {}
        self._groups: dict[str, _Group] = {}
        self._producer_epochs: dict[str, int] = {}
        self._names = 0

    # -- what an operator does

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Create an empty topic with a new identity, replacing any topic of that name."""
        self._topics[topic] = _Topic(self.new_name("topic"), [_Partition() for _ in range(partitions)])

    def recreate_topic(self, topic: str) -> None:
        """Delete a topic and create it again, empty, with the same number of partitions."""
        self.create_topic(topic, self.partition_count(topic))

    def add_partitions(self, topic: str, total: int) -> None:
        """Add partitions to a topic, up to a total."""
        existing = self._topics[topic].partitions
        existing.extend(_Partition() for _ in range(total - len(existing)))

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Drop the records before an offset, as retention does."""
        log = self._partition(topic, partition)
        log.start = max(log.start, min(before, log.end))
        kept = bisect_left(log.offsets, log.start)
        del log.offsets[:kept], log.records[:kept]

    def compact(self, topic: str, partition: int) -> None:
        """Keep the newest record of each key; offsets stay."""
        log = self._partition(topic, partition)
        newest = {record.key: record.offset for record in log.records}
        log.records = [record for record in log.records if newest[record.key] == record.offset]
        log.offsets = [record.offset for record in log.records]

    # -- what a producer does

    def append(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        timestamp: int = 0,
        headers: Iterable[Header] = (),
    ) -> int:
        """Append a record; return its offset."""
        log = self._partition(topic, partition)
        offset = log.end
        log.offsets.append(offset)
        log.records.append(MemoryRecord(topic, partition, offset, timestamp, key, value, tuple(headers)))
        log.end = offset + 1
        return offset

    def append_gap(self, topic: str, partition: int, length: int = 1) -> None:
        """Append offsets that no reader sees: a transaction's marker, or aborted records and their marker."""
        self._partition(topic, partition).end += length

    # -- what a reader sees

    def records(self, topic: str, partition: int | None = None) -> list[MemoryRecord]:
        """Return the records of a partition, or of all partitions one after the other."""
        wanted = range(self.partition_count(topic)) if partition is None else (partition,)
        return [record for p in wanted for record in self._partition(topic, p).records]

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first position and the end."""
        log = self._partition(topic, partition)
        return log.start, log.end

    def has_topic(self, topic: str) -> bool:
        """Return whether a topic exists."""
        return topic in self._topics

    def partition_count(self, topic: str) -> int:
        """Return the number of partitions."""
        return len(self._topics[topic].partitions)

    def topic_id(self, topic: str) -> str:
        """Return the identity of a topic."""
        return self._topics[topic].identity

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return a group's committed positions by partition."""
        return {p: position for (name, p), position in self.group(group).committed.items() if name == topic}

    def note(self, group: str, topic: str, partition: int) -> str:
        """Return the note that was committed with a position."""
        return self.group(group).notes.get((topic, partition), "")

    def set_committed(self, group: str, topic: str, partition: int, position: int, note: str = "") -> None:
        """Set a committed position and its note; a tool that resets offsets leaves no note."""
        self.group(group).committed[topic, partition] = position
        self.group(group).notes[topic, partition] = note

    # -- for MemorySource and MemorySink

    def group(self, name: str) -> _Group:
        """Return a group; the first call for a name creates it."""
        return self._groups.setdefault(name, _Group())

    def join(self, group_name: str, instance: str | None, topic: str) -> str:
        """Add a member. With a known instance id it replaces the earlier one, without a new generation."""
        group = self.group(group_name)
        member, before = self.new_name("member"), group.member_of(instance)
        if before is None:
            group.members[member] = instance
            group.partition_count = self.partition_count(topic)
            group.rebalance()
            return member
        group.members = {member if m == before else m: name for m, name in group.members.items()}
        for places in (group.owners, group.targets):
            places.update({p: member for p, m in places.items() if m == before})
        return member

    def take_over(self, transactional_id: str) -> int:
        """Fence every earlier producer of a transactional id; return the new epoch."""
        self._producer_epochs[transactional_id] = self._producer_epochs.get(transactional_id, -1) + 1
        return self._producer_epochs[transactional_id]

    def is_fenced(self, transactional_id: str, epoch: int) -> bool:
        """Return whether a later producer took over the transactional id."""
        return self._producer_epochs[transactional_id] != epoch

    def write(self, messages: Sequence[Message]) -> None:
        """Append a transaction: its records, placed by key, and a marker in each partition that got one."""
        for message in messages:
            self._check(message)
        touched = dict.fromkeys((message.topic, self._place(message)) for message in messages)
        for message in messages:
            self.append(
                message.topic,
                self._place(message),
                message.value,
                key=message.key,
                timestamp=message.timestamp_ms or 0,
                headers=message.headers,
            )
        for topic, partition in touched:
            self.append_gap(topic, partition)

    def span(self, topic: str, partition: int, start: int, stop: int, limit: int) -> tuple[int, list[MemoryRecord]]:
        """Return the position after the records from `start`, and the records. Without records: `stop` or the end."""
        log = self._partition(topic, partition)
        records = log.since(start, limit, stop)
        return (records[-1].offset + 1 if records else min(stop, log.end)), records

    def _check(self, message: Message) -> None:
        if message.topic not in self._topics:
            msg = f"topic {message.topic} does not exist"
            raise PermanentDeliveryError(msg)
        size = len(message.key or b"") + len(message.value or b"")
        if size > self.max_message_bytes:
            msg = f"topic {message.topic} refuses a record of {size} bytes: it takes {self.max_message_bytes}"
            raise PermanentDeliveryError(msg)

    def _place(self, message: Message) -> int:
        return zlib.crc32(message.key or b"") % self.partition_count(message.topic)

    def _partition(self, topic: str, partition: int) -> _Partition:
        return self._topics[topic].partitions[partition]

    def new_name(self, kind: str) -> str:
        """Return a name that is not in use."""
        self._names += 1
        return f"{kind}-{self._names}"
