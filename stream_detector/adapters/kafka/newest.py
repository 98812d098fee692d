"""Reads the newest records of a topic, or those since a time, outside any group and within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from stream_detector.adapters.kafka.span_reader import KafkaReader, PositionLostError
from stream_detector.checkup.kafka_facts import LogFacts
from stream_detector.errors import RetriableError
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings

Bounds = Mapping[int, tuple[int, int]]
Keep = Callable[[Record], Record]


def _whole(record: Record) -> Record:
    return record


class NewestRecords:
    """Reads committed records of one topic. Every call is bounded. Commits nothing. Not thread-safe.

    Raises RetriableError when the brokers do not answer, PermanentDeliveryError when they refuse.
    """

    def __init__(self, settings: KafkaSettings, topic: str, now: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._timeout_seconds = settings.request_timeout_seconds
        self._now = now
        self._reader = KafkaReader(settings, topic)
        partitions = self._reader.partitions()
        self.bounds: Bounds = self._reader.bounds_of(partitions) if partitions else {}

    def last(self, count: int, keep: Keep = _whole) -> list[Record]:
        """Return what is kept of the last `count` records, oldest first.

        Searches further and further back: transaction markers and gaps use up offsets too.
        """
        back = 2 * count + 8
        while True:
            starts = {partition: max(begin, end - back) for partition, (begin, end) in self.bounds.items()}
            records = self.read(starts, keep=keep) if count else []
            if len(records) >= count or all(starts[partition] == begin for partition, (begin, _) in self.bounds.items()):
                return sorted(records, key=_place_in_time)[-count:] if count else []
            back *= 8

    def of_each_partition(self, count: int) -> list[Record]:
        """Return the newest records of each partition, about `count` in all."""
        share = max(1, count // max(1, len(self.bounds)))
        return self.read({partition: max(begin, end - share) for partition, (begin, end) in self.bounds.items()})

    def since(self, time_ms: int, most: int | None = None, keep: Keep = _whole) -> list[Record]:
        """Return what is kept of the records that were written at or after a time, oldest first, about `most` of them."""
        starts = {partition: self._reader.position_at(partition, time_ms) for partition in self.bounds}
        return sorted(self.read(starts, most, keep), key=_place_in_time)

    def read(self, starts: Mapping[int, int], most: int | None = None, keep: Keep = _whole) -> list[Record]:
        """Return what is kept of the records from these positions up to the ends that the partitions had.

        Stops after about `most`.
        """
        records: list[Record] = []
        for part in self.stream(starts):
            records += map(keep, part)
            if most is not None and len(records) >= most:
                break
        return records

    def stream(self, starts: Mapping[int, int]) -> Iterator[list[Record]]:
        """Yield the records from these positions up to the ends that the partitions had, each partition in order."""
        positions = {partition: start for partition, start in starts.items() if start < self.bounds[partition][1]}
        deadline = self._now() + self._timeout_seconds
        while positions:
            chunks = self._reader.poll(positions)
            if chunks:
                deadline = self._now() + self._timeout_seconds
            elif self._now() > deadline:
                msg = f"topic {self._topic} returned nothing within {self._timeout_seconds:g} s"
                raise RetriableError(msg)
            for chunk in chunks:
                end = self.bounds[chunk.partition][1]
                positions[chunk.partition] = chunk.stop
                if chunk.stop >= end:
                    del positions[chunk.partition]
                yield [record for record in chunk.records if record.offset < end]

    def log(self) -> LogFacts:
        """Return how much the topic holds, and the times of its first and last records."""
        spans = [end - begin for begin, end in self.bounds.values()]
        first = [record for partition in self.bounds for record in self._at(partition, newest=False)]
        last = [record for partition in self.bounds for record in self._at(partition, newest=True)]
        return LogFacts(
            records=sum(spans),
            empty_partitions=sum(not span for span in spans),
            oldest_ms=min((record.timestamp for record in first if record.timestamp >= 0), default=None),
            newest_ms=max((record.timestamp for record in last if record.timestamp >= 0), default=None),
        )

    def close(self) -> None:
        """Release the connections. Idempotent, bounded."""
        self._reader.close()

    def _at(self, partition: int, *, newest: bool) -> list[Record]:
        begin, end = self.bounds[partition]
        try:
            chunk = self._reader.read(partition, max(begin, end - 1) if newest else begin, end, 1)
        except PositionLostError:  # retention removed it meanwhile
            return []
        return list(chunk.records[:1])


def _place_in_time(record: Record) -> tuple[int, int, int]:
    return record.timestamp, record.partition, record.offset
