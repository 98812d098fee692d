"""The input topic in memory: a fake of ports.Source on a MemoryLog."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from stream_detector.errors import FencedError, RetriableError
from stream_detector.ports import Chunk, Polled
from tests.fakes.memory_log import MemoryLog, MemoryMembership


class MemorySource:
    """A source on a MemoryLog. Joins the group at its first poll; never waits.

    A test controls it with `max_poll_records` and `next_limits` (records per poll; each poll uses up one entry),
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
        self._lost: set[int] = set()  # to be reported as revoked, even if they are assigned again
        self._positions: dict[int, int | None] = {}  # of the assigned partitions
        self._paused: set[int] = set()
        self._turn = 0

    # -- what a test does

    def rebalance(self, partitions: Iterable[int] | None = None) -> None:
        """Start a new generation now; the next poll reports the partitions (all, if None) as revoked and assigned again."""
        self._lost.update(self._positions if partitions is None else partitions)
        self._log.group(self._group_id).rebalance()

    def evict(self) -> None:
        """Remove this member from the group; it notices in its second poll from now, and rejoins."""
        if self._member is not None:
            self._log.group(self._group_id).remove(self._member)
            self._evicted = True

    def kill(self) -> None:
        """End the member as a crashed process does, after its session time-out. The source must not be used again."""
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

    def note(self, partition: int) -> str:
        """See ports.Source."""
        return self._log.note(self._group_id, self._topic, partition)

    def ends(self) -> dict[int, int]:
        """See ports.Source."""
        return {partition: self.bounds(partition)[1] for partition in self.partitions()}

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
        self._paused.difference_update(p for p in partitions if self._positions.get(p) is not None)

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
        """Join or take part in a rebalance; return the revoked and the assigned partitions."""
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
        group.release(self._member)
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
        """Read from the readable partitions in turn, up to `limit` records in all; advance their positions."""
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
        """Drop the positions that are outside their partition's log; return those partitions."""
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
