"""Reads the part of a log before a position for what later records need of it, outside of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stream_detector.ingest.memory import Memory
from stream_detector.readings import Record

#: So many records before a position are looked through at most, so many at once.
_MOST_RECORDS, _AT_ONCE = 5_000_000, 5_000


class Span(Protocol):
    """Records that were read, and the position behind them."""

    @property
    def stop(self) -> int: ...  # noqa: D102 - as in ports.Chunk
    @property
    def records(self) -> Sequence[Record]: ...  # noqa: D102


class Log(Protocol):
    """A topic to read from; a subset of ports.Source."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first position and the end position."""

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Span:
        """Read at most `max_records` records from position `start`, before `stop`."""


class Learner(Protocol):
    """What remembers records: an InputReader or a Decoder."""

    @property
    def memory(self) -> Memory | None: ...  # noqa: D102 - as in ports.Decoder

    def learn(self, records: Sequence[Record]) -> None:
        """Remember records, whatever they contain, without their readings."""


def learn_before(log: Log, learner: Learner, partition: int, position: int) -> None:
    """Have what reads a topic remember the log of a partition before a position. Costs nothing where nothing needs it.

    Blocks as long as that takes; may raise RetriableError.
    """
    memory = learner.memory
    if memory is None:
        return
    start = max(log.bounds(partition)[0], position - _MOST_RECORDS, memory.known_to(partition) or 0)
    while start < position:
        span = log.read(partition, start, position, _AT_ONCE)
        learner.learn(span.records)
        start = span.stop
    memory.read_to(partition, position)
