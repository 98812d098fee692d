"""Reads a topic by position, outside any consumer group: to restore state, to train and to show alerts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from stream_detector.adapters.kafka.client_patches.bounded_consumer import partitions_of, position
from stream_detector.adapters.kafka.client_patches.patched_fetcher import PATIENCE_SECONDS, PatchedFetcher
from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import explain, translate
from stream_detector.adapters.kafka.options import reader_options
from stream_detector.errors import RetriableError
from stream_detector.ports import Chunk
from stream_detector.settings.kafka_settings import KafkaSettings

#: The longest single poll: the client's poll does not return when it finds only transaction markers.
SLICE_MS = 100


class PositionLostError(RetriableError):
    """The log no longer holds a position: retention removed it, or the topic was recreated."""


class KafkaReader:
    """Reads committed records of one topic, by position. Every call blocks at most the request time-out.

    Raises RetriableError on time-out, its subclass PositionLostError if the log does not hold a position, and
    PermanentDeliveryError if Kafka refuses. Not thread-safe.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._timeout_seconds = settings.request_timeout_seconds
        self._consumer: KafkaConsumer = open_client(KafkaConsumer, reader_options(settings))
        # Most callers read once and close, so damage must be skipped before their read times out.
        self._fetcher = PatchedFetcher(self._consumer, min(PATIENCE_SECONDS, self._timeout_seconds / 2))
        self._next: dict[int, int] = {}  # assigned partitions, and the position that each is fetched from

    def partitions(self) -> tuple[int, ...]:
        """Return the topic's partitions; none if the topic is not known to exist."""
        try:
            return tuple(sorted(partitions_of(self._consumer, self._topic, self._timeout_seconds * 1000)))
        except KafkaError as error:
            raise translate(error, f"looking up the partitions of {self._topic}") from error

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the log's first position and its end (the last stable position)."""
        return self.bounds_of([partition])[partition]

    def bounds_of(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Return the first position and the end (the last stable position) of each partition's log."""
        tps = [TopicPartition(self._topic, partition) for partition in partitions]
        timeout_ms = self._timeout_seconds * 1000
        try:
            starts = self._consumer.beginning_offsets(tps, timeout_ms=timeout_ms) if tps else {}
            ends = self._consumer.end_offsets(tps, timeout_ms=timeout_ms) if tps else {}
        except KafkaError as error:
            raise translate(error, f"looking up the bounds of {self._names(tp.partition for tp in tps)}") from error
        return {tp.partition: (int(starts[tp]), int(ends[tp])) for tp in tps}

    def ends_of(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the end (the last stable position) of each partition's log."""
        tps = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            ends = self._consumer.end_offsets(tps, timeout_ms=self._timeout_seconds * 1000) if tps else {}
        except KafkaError as error:
            raise translate(error, f"looking up the ends of {self._names(tp.partition for tp in tps)}") from error
        return {tp.partition: int(ends[tp]) for tp in tps}

    def positions_at(self, partitions: Iterable[int], time_ms: int) -> dict[int, int | None]:
        """Return each partition's first position whose record's timestamp is at or after a time; None if there is none."""
        tps = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            times = dict.fromkeys(tps, time_ms)
            found = self._consumer.offsets_for_times(times, timeout_ms=self._timeout_seconds * 1000) if tps else {}
        except KafkaError as error:
            raise translate(error, f"looking up time {time_ms} in {self._names(tp.partition for tp in tps)}") from error
        return {tp.partition: None if found[tp] is None else int(found[tp].offset) for tp in tps}

    def position_at(self, partition: int, time_ms: int) -> int:
        """Return the first position whose record's timestamp is at or after a time; the end if there is none."""
        found = self.positions_at([partition], time_ms)[partition]
        return self.bounds(partition)[1] if found is None else found

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """Read from `start`, at most to `stop`, at most `max_records`; the chunk makes progress if start < stop."""
        if start >= stop:
            return Chunk(partition, start, start, ())
        deadline = time.monotonic() + self._timeout_seconds
        while not (chunks := self.poll({partition: start}, max_records)):
            if time.monotonic() > deadline:
                msg = f"{self._names([partition])} returned nothing at {start} within {self._timeout_seconds:g} s"
                raise RetriableError(msg)
        (chunk,) = chunks
        if chunk.stop < stop:
            return chunk
        self._release(partition)
        return Chunk(partition, start, stop, [record for record in chunk.records if record.offset < stop])

    def poll(self, positions: Mapping[int, int], max_records: int | None = None) -> tuple[Chunk, ...]:
        """Read available records of some partitions from these positions, at most `max_records` in all.

        Returns a chunk for each partition that made progress. Waits up to SLICE_MS for the first record.
        """
        tps = {TopicPartition(self._topic, partition): start for partition, start in positions.items()}
        try:
            self._focus(tps)
            records = self._fetcher.poll(SLICE_MS, max_records)
        except KafkaError as error:
            at = f"reading {self._names(positions)} at {', '.join(map(str, positions.values()))}"
            if isinstance(error, OffsetOutOfRangeError | LogTruncationError):
                raise PositionLostError(f"{at}: {explain(error)}") from error
            raise translate(error, at) from error
        reached = {tp.partition: position(self._consumer, tp) for tp in tps}
        self._next.update(reached)
        return tuple(
            Chunk(tp.partition, start, reached[tp.partition], records.get(tp, []))
            for tp, start in tps.items()
            if reached[tp.partition] > start
        )

    def close(self) -> None:
        """Release the connections. Idempotent, bounded."""
        self._consumer.close(autocommit=False, timeout_ms=self._timeout_seconds * 1000)

    def _focus(self, wanted: Mapping[Any, int]) -> None:
        """Read only these partitions. The others stay assigned but paused, so that their prefetched records are kept."""
        moved = {tp: start for tp, start in wanted.items() if self._next.get(tp.partition) != start}
        has_new = any(tp.partition not in self._next for tp in moved)
        self._next.update({tp.partition: start for tp, start in wanted.items()})
        assigned = [TopicPartition(self._topic, partition) for partition in self._next]
        if has_new:
            self._consumer.assign(assigned)
        for tp, start in moved.items():
            self._consumer.seek(tp, start)
        self._consumer.pause(*(other for other in assigned if other not in wanted))
        self._consumer.resume(*wanted)

    def _release(self, partition: int) -> None:
        del self._next[partition]
        self._consumer.assign([TopicPartition(self._topic, other) for other in self._next])

    def _names(self, partitions: Iterable[int]) -> str:
        return f"{self._topic} partition {', '.join(map(str, partitions))}"
