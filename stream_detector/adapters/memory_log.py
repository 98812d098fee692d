"""Kafka in memory: a log with topics, groups and transactions, and the source and sink that work on it.

For tests and experiments of the pipeline. It behaves as the real adapters do (one contract suite holds both to it), without
threads and without a clock: nothing happens but in a call, so a test decides when members join, die or lose partitions.
It does not know brokers, time-outs or open transactions: a transaction is appended whole.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stream_detector.errors import CommitFailedError, FencedError, PermanentDeliveryError, RetriableError
from stream_detector.open_incidents import OpenIncident, open_incidents
from stream_detector.ports import Chunk, Polled
from stream_detector.readings import Header, Membership, Message


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
    """Proof of membership: valid as long as the group has this generation and this member."""

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
    """Members in the order of joining. A partition passes to its new owner when the old one has let go of it."""

    generation: int = 0
    partition_count: int = 0
    members: dict[str, str | None] = field(default_factory=dict)  # member -> instance
    owners: dict[int, str] = field(default_factory=dict)  # partition -> member that holds it
    targets: dict[int, str] = field(default_factory=dict)  # partition -> member that shall hold it
    committed: dict[tuple[str, int], int] = field(default_factory=dict)

    def rebalance(self) -> None:
        """Start a new generation; partitions stay where they are as far as the balance allows."""
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

    def let_go(self, member: str) -> None:
        """Pass on what the member holds and shall not hold; that is a new generation, if it is anything."""
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
        """Return the member that runs under an instance id."""
        return next((m for m, name in self.members.items() if instance is not None and name == instance), None)


class MemoryLog:
    """Topics, committed positions and groups. Offsets of a partition only grow, until its topic is made anew."""

    def __init__(self, *, max_message_bytes: int = 1_048_588) -> None:
        self.max_message_bytes = max_message_bytes
        self._topics: dict[str, _Topic] = {}
        self._groups: dict[str, _Group] = {}
        self._producer_epochs: dict[str, int] = {}
        self._names = 0

    # -- what an operator does

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Make an empty topic; one of that name is replaced, under another identity."""
        self._topics[topic] = _Topic(self.new_name("topic"), [_Partition() for _ in range(partitions)])

    def recreate_topic(self, topic: str) -> None:
        """Delete a topic and make it anew, empty, with as many partitions."""
        self.create_topic(topic, self.partition_count(topic))

    def add_partitions(self, topic: str, total: int) -> None:
        """Grow a topic to a number of partitions."""
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
        """Append offsets that no reader gets: a transaction's marker, or aborted records and their marker."""
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

    def partition_count(self, topic: str) -> int:
        """Return the number of partitions."""
        return len(self._topics[topic].partitions)

    def topic_id(self, topic: str) -> str:
        """Return the identity of a topic."""
        return self._topics[topic].identity

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return a group's committed positions by partition."""
        return {p: position for (name, p), position in self.group(group).committed.items() if name == topic}

    def set_committed(self, group: str, topic: str, partition: int, position: int) -> None:
        """Set a committed position, as a tool that resets offsets does."""
        self.group(group).committed[topic, partition] = position

    # -- for MemorySource and MemorySink

    def group(self, name: str) -> _Group:
        """Return a group, made when first asked for."""
        return self._groups.setdefault(name, _Group())

    def join(self, group_name: str, instance: str | None, topic: str) -> str:
        """Add a member; under a known instance id it takes the place of the one before, without a new generation."""
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
        """Say whether a later producer took the transactional id over."""
        return self._producer_epochs[transactional_id] != epoch

    def write(self, messages: Sequence[Message]) -> None:
        """Append a transaction: its records, by key, and a marker in each partition they went to."""
        for message in messages:
            self._check(message)
        touched = dict.fromkeys((message.topic, self._place(message)) for message in messages)
        for message in messages:
            self.append(message.topic, self._place(message), message.value, key=message.key, headers=message.headers)
        for topic, partition in touched:
            self.append_gap(topic, partition)

    def span(self, topic: str, partition: int, start: int, stop: int, limit: int) -> tuple[int, list[MemoryRecord]]:
        """Return records from `start`, and the position after them: `stop`, or the end, when there are none before it."""
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
        """Return a name that was not given before."""
        self._names += 1
        return f"{kind}-{self._names}"


class MemorySource:
    """A source on a MemoryLog. Joins the group at its first poll; never waits.

    A test steers it: `max_poll_records` and `next_limits` (records per poll, one entry used up by each poll),
    `rebalance`, `evict` and `kill`.
    """

    def __init__(
        self, log: MemoryLog, topic: str, group_id: str, instance_id: str | None = None, max_poll_records: int = 500
    ) -> None:
        self.max_poll_records = max_poll_records
        self.next_limits: deque[int] = deque()
        self._log = log
        self._topic = topic
        self._group_id = group_id
        self._instance = instance_id
        self._member: str | None = None
        self._evicted = False
        self._closed = False
        self._lost: set[int] = set()  # to be reported as revoked, although they may be assigned again
        self._positions: dict[int, int | None] = {}  # of the assigned partitions
        self._paused: set[int] = set()
        self._turn = 0

    # -- what a test does

    def rebalance(self, partitions: Iterable[int] | None = None) -> None:
        """Start a new generation now; the next poll reports the partitions (all, if None) as revoked and assigned again."""
        self._lost.update(self._positions if partitions is None else partitions)
        self._log.group(self._group_id).rebalance()

    def evict(self) -> None:
        """Drop this member from the group; it notices only at its second poll from now, and joins again."""
        if self._member is not None:
            self._log.group(self._group_id).remove(self._member)
            self._evicted = True

    def kill(self) -> None:
        """End the member as a crashed process ends, its session time-out passed. The source is of no more use."""
        if self._member is not None and not self._evicted and not self._closed:
            self._log.group(self._group_id).remove(self._member)
        self._closed = True

    # -- Source

    def poll(self, timeout_seconds: float) -> Polled:  # noqa: ARG002 - nothing to wait for
        """See ports.Source."""
        limit = self.next_limits.popleft() if self.next_limits else self.max_poll_records
        if self._evicted:
            self._evicted, self._member = False, None
            return Polled(self._fetch(limit), membership=None)
        revoked, assigned = self._follow_assignment()
        chunks = self._fetch(limit)
        gone = self._drop_out_of_range()
        return Polled(chunks, self._membership(), revoked | gone, assigned | gone)

    def committed(self, partition: int) -> int | None:
        """See ports.Source."""
        return self._log.committed(self._group_id, self._topic).get(partition)

    def partitions(self) -> frozenset[int]:
        """See ports.Source."""
        return frozenset(range(self._log.partition_count(self._topic)))

    def bounds(self, partition: int) -> tuple[int, int]:
        """See ports.Source."""
        return self._log.bounds(self._topic, partition)

    def position_at(self, partition: int, time_ms: int) -> int:
        """See ports.Source."""
        later = (record.offset for record in self._log.records(self._topic, partition) if record.timestamp >= time_ms)
        return next(later, self.bounds(partition)[1])

    def topic_id(self) -> str:
        """See ports.Source."""
        return self._log.topic_id(self._topic)

    def seek(self, partition: int, position: int) -> None:
        """See ports.Source."""
        if partition in self._positions:
            self._positions[partition] = position
            self._paused.discard(partition)

    def pause(self, partitions: Sequence[int]) -> None:
        """See ports.Source."""
        self._paused.update(partition for partition in partitions if partition in self._positions)

    def resume(self, partitions: Sequence[int]) -> None:
        """See ports.Source."""
        self._paused.difference_update(partitions)

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """See ports.Source."""
        if start >= stop:
            return Chunk(partition, start, start, ())
        first, end = self.bounds(partition)
        if not first <= start < end:
            msg = f"partition {partition} of topic {self._topic} has no position {start}: it holds {first} to {end}"
            raise RetriableError(msg)
        reached, records = self._log.span(self._topic, partition, start, stop, max_records)
        return Chunk(partition, start, reached, records)

    def close(self) -> None:
        """See ports.Source."""
        if self._instance is None:
            self.kill()
        self._closed = True

    # -- inside

    def _follow_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """Join or take part in a rebalance; return what was revoked and assigned."""
        group = self._log.group(self._group_id)
        if self._member is None:
            self._lost.update(self._positions)
            self._member = self._log.join(self._group_id, self._instance, self._topic)
        elif self._member not in group.members:
            msg = f"two replicas share instance_id {self._instance}"
            raise FencedError(msg)
        if group.partition_count != self._log.partition_count(self._topic):
            group.partition_count = self._log.partition_count(self._topic)
            group.rebalance()
        group.let_go(self._member)
        held = group.held_by(self._member)
        revoked = frozenset(p for p in self._positions if p in self._lost or p not in held)
        assigned = frozenset(p for p in held if p in self._lost or p not in self._positions)
        self._lost.clear()
        for partition in revoked:
            del self._positions[partition]
        self._positions.update(dict.fromkeys(assigned))
        self._paused = (self._paused - revoked) | assigned
        return revoked, assigned

    def _fetch(self, limit: int) -> tuple[Chunk, ...]:
        """Read in turn from the partitions that may be read, up to `limit` records in all; move their positions."""
        chunks = []
        ready = sorted(p for p in self._positions if p not in self._paused)
        self._turn += 1
        turn = self._turn % len(ready) if ready else 0
        for partition in ready[turn:] + ready[:turn]:
            start = self._positions[partition]
            first, end = self.bounds(partition)
            if limit <= 0 or start is None or not first <= start < end:
                continue
            stop, records = self._log.span(self._topic, partition, start, end, limit)
            limit -= len(records)
            self._positions[partition] = stop
            chunks.append(Chunk(partition, start, stop, records))
        return tuple(chunks)

    def _drop_out_of_range(self) -> frozenset[int]:
        """Take the position from partitions whose log does not reach to it."""
        gone = set()
        for partition, position in self._positions.items():
            first, end = self.bounds(partition)
            if position is not None and partition not in self._paused and not first <= position <= end:
                gone.add(partition)
        self._positions.update(dict.fromkeys(gone))
        self._paused |= gone
        return frozenset(gone)

    def _membership(self) -> MemoryMembership:
        assert self._member is not None
        group = self._log.group(self._group_id)
        return MemoryMembership(self._group_id, group.generation, self._member, self._instance)


class MemoryIncidentLog:
    """An incident log on a MemoryLog."""

    def __init__(self, log: MemoryLog, input_topic: str, alerts_topic: str) -> None:
        self._log = log
        self._input_topic = input_topic
        self._alerts_topic = alerts_topic

    def open_incidents(self, partition: int, position: int) -> list[OpenIncident]:
        """See ports.IncidentLog."""
        values = (record.value for record in self._log.records(self._alerts_topic))
        return open_incidents(values, self._input_topic, partition, position)


class MemorySink:
    """A sink on a MemoryLog. A test makes a commit fail with `fail_next_commit`."""

    def __init__(self, log: MemoryLog, input_topic: str, transactional_id: str | None = None) -> None:
        self._log = log
        self._topic = input_topic
        self._id = transactional_id or log.new_name("producer")
        self._epoch = log.take_over(self._id)
        self._failure: Literal["before", "after"] | None = None
        self._usable = True

    def fail_next_commit(self, when: Literal["before", "after"]) -> None:
        """Let the next commit fail: before anything was written, or after all was written (the answer is lost)."""
        self._failure = when

    def commit(self, messages: Sequence[Message], positions: Mapping[int, int], membership: Membership) -> None:
        """See ports.Sink."""
        failure, self._failure = self._failure, None
        if not self._usable:
            msg = "the sink must be reset after a failed commit"
            raise CommitFailedError(msg)
        self._usable = False
        self._check(membership)
        if failure == "before":
            msg = "the transaction failed"
            raise CommitFailedError(msg)
        self._log.write(messages)
        for partition, position in positions.items():
            self._log.set_committed(membership.group, self._topic, partition, position)
        if failure == "after":
            msg = "the answer to the commit was lost"
            raise CommitFailedError(msg)
        self._usable = True

    def reset(self) -> None:
        """See ports.Sink."""
        self._epoch = self._log.take_over(self._id)
        self._usable = True

    def close(self) -> None:
        """See ports.Sink."""
        self._usable = False

    def _check(self, membership: Membership) -> None:
        """Refuse a producer that was fenced and a member of the past."""
        if self._log.is_fenced(self._id, self._epoch):
            msg = f"transactional id {self._id} was taken over by another producer"
            raise CommitFailedError(msg)
        if not isinstance(membership, MemoryMembership):
            msg = "not a member of the group"
            raise CommitFailedError(msg)
        group = self._log.group(membership.group)
        if group.member_of(membership.instance) not in (None, membership.member):
            msg = f"two replicas share instance_id {membership.instance}"
            raise FencedError(msg)
        if membership.member not in group.members or membership.generation != group.generation:
            msg = f"generation {membership.generation} of the group is over"
            raise CommitFailedError(msg)
