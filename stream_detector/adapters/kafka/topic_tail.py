"""Keeps the newest records of a topic, read from outside any consumer group: a bounded number, then what is added."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import chain

from stream_detector.adapters.kafka.span_reader import KafkaReader, PositionLostError
from stream_detector.errors import RetriableError
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings

#: Records per request.
_AT_ONCE = 2_000


class TopicTail:
    """The newest committed records of one topic. Not thread-safe. It creates and commits nothing.

    Raises RetriableError when the brokers do not answer (close it then), PermanentDeliveryError when they refuse.
    """

    def __init__(self, settings: KafkaSettings, topic: str, most: int, now: Callable[[], float] = time.monotonic) -> None:
        """Keep at most `most` records of all partitions together, as many of each."""
        self.topic = topic
        self._most = most
        self._timeout_seconds = settings.request_timeout_seconds
        self._now = now
        self._reader = KafkaReader(settings, topic)
        self._kept: dict[int, deque[Record]] = {}
        self._positions: dict[int, int] = {}
        self.is_cut = False

    @property
    def exists(self) -> bool:
        """Whether the topic was there at the last refresh."""
        return bool(self._kept)

    def refresh(self) -> list[Record]:
        """Read what was added since the last call, and return all that is kept, oldest first in each partition."""
        numbers = self._reader.partitions()
        bounds = self._reader.bounds_of(numbers) if numbers else {}
        share = max(1, self._most // max(1, len(numbers)))
        self._kept = {number: deque(self._kept.get(number, ()), share) for number in numbers}
        for number, (begin, end) in bounds.items():
            start = max(begin, end - share)
            position = self._positions.get(number, start)
            if position > end:  # the topic was deleted and created again
                self._kept[number].clear()
                position = start
            self._positions[number] = max(position, start)
        self._read_to({number: end for number, (_, end) in bounds.items()})
        self.is_cut = any(
            begin < (self._kept[number][0].offset if self._kept[number] else max(begin, end - share))
            for number, (begin, end) in bounds.items()
        )
        return list(chain.from_iterable(self._kept.values()))

    def close(self) -> None:
        """Release the connections. Idempotent, bounded."""
        self._reader.close()

    def _read_to(self, ends: Mapping[int, int]) -> None:
        deadline = self._now() + self._timeout_seconds
        while unread := {number: self._positions[number] for number, end in ends.items() if self._positions[number] < end}:
            try:
                chunks = self._reader.poll(unread, _AT_ONCE)
            except PositionLostError:  # retention has just removed it
                if self._now() > deadline:
                    raise
                firsts = self._reader.bounds_of(unread)
                self._positions.update({number: max(self._positions[number], firsts[number][0]) for number in unread})
                continue
            if chunks:
                deadline = self._now() + self._timeout_seconds
            elif self._now() > deadline:
                msg = f"topic {self.topic} returned nothing within {self._timeout_seconds:g} s"
                raise RetriableError(msg)
            for chunk in chunks:
                self._positions[chunk.partition] = chunk.stop
                self._kept[chunk.partition].extend(record for record in chunk.records if record.offset < ends[chunk.partition])
