"""Uses a source as the pipeline does, for the contract suites."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stream_detector.ports import Chunk, Polled, Source
from stream_detector.readings import Membership
from tests.contracts.brokers import Broker


@dataclass
class SourceReader:
    """Reads from a source as the pipeline does: seeks in assigned partitions and keeps the chunks."""

    source: Source
    patience_seconds: float
    start: Callable[[int], int] = lambda _partition: 0
    held: set[int] = field(default_factory=set)
    chunks: list[Chunk] = field(default_factory=list)
    membership: Membership | None = None
    revocations: list[frozenset[int]] = field(default_factory=list)

    def poll(self) -> Polled:
        polled = self.source.poll(0.1)
        assert not polled.revoked - self.held, "revoked without having been assigned"
        self.held -= polled.revoked
        assert not polled.assigned & self.held, "assigned twice"
        self.held |= polled.assigned
        assert {chunk.partition for chunk in polled.chunks} <= self.held - polled.assigned
        for partition in polled.assigned:
            self.source.seek(partition, self.start(partition))
        self.revocations.append(polled.revoked)
        self.membership = polled.membership
        if polled.membership is not None:
            self.chunks.extend(polled.chunks)
        return polled

    def poll_until(self, condition: Callable[[], bool], *others: SourceReader) -> None:
        """Poll, and let others poll, until a condition holds."""
        deadline = time.monotonic() + self.patience_seconds
        for turn in range(10**6):
            for reader in (self, *others):
                reader.poll()
            if condition():
                return
            assert turn < 10 or time.monotonic() < deadline, "it did not happen in time"

    def values(self, partition: int) -> list[bytes | None]:
        return [record.value for chunk in self.chunks if chunk.partition == partition for record in chunk.records]

    def position(self, partition: int) -> int:
        """Return where the last chunk ended, after checking that the chunks chain."""
        spans = [(chunk.start, chunk.stop) for chunk in self.chunks if chunk.partition == partition]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
        return spans[-1][1] if spans else -1


def reader_of(world: Broker, source: Source | None = None, start: Callable[[int], int] = lambda _partition: 0) -> SourceReader:
    return SourceReader(source or world.source(), world.patience_seconds, start)
