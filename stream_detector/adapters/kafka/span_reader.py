"""Reading spans of a topic outside any consumer group: for restoring, and to look at topics."""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_detector.adapters.kafka.client_patches.patched_fetcher import PATIENCE_SECONDS, Fetching
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import open_client, reader_options
from stream_detector.errors import RetriableError
from stream_detector.ports import Chunk
from stream_detector.settings.schema import KafkaSettings

#: The client's poll does not return when it passed only markers; so it is asked for no longer than this at a time.
SLICE_MS = 100


class KafkaReader:
    """Committed records of one topic, by position. Every call blocks at most the request time-out.

    Raises RetriableError on time-out or when a position is not in the log, PermanentDeliveryError when Kafka refuses.
    Not thread-safe.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._timeout_seconds = settings.request_timeout_seconds
        self._consumer: KafkaConsumer = open_client(KafkaConsumer, reader_options(settings))
        # A reader may be made for one question, so it has to give up a damaged batch before the question times out.
        self._fetching = Fetching(self._consumer, min(PATIENCE_SECONDS, self._timeout_seconds / 2))
        self._next: dict[int, int] = {}  # assigned partitions and where their fetches stand

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the log's first position and its end (the last stable position)."""
        tp = TopicPartition(self._topic, partition)
        timeout_ms = self._timeout_seconds * 1000
        try:
            start = self._consumer.beginning_offsets([tp], timeout_ms=timeout_ms)[tp]
            return int(start), int(self._consumer.end_offsets([tp], timeout_ms=timeout_ms)[tp])
        except KafkaError as error:
            raise translate(error, f"looking up the bounds of {tp.topic} partition {partition}") from error

    def position_at(self, partition: int, time_ms: int) -> int:
        """Return the first position whose record's timestamp is at or after a time; the end if there is none."""
        tp = TopicPartition(self._topic, partition)
        try:
            found = self._consumer.offsets_for_times({tp: time_ms}, timeout_ms=self._timeout_seconds * 1000)[tp]
        except KafkaError as error:
            raise translate(error, f"looking up time {time_ms} in {tp.topic} partition {partition}") from error
        return self.bounds(partition)[1] if found is None else int(found.offset)

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """Read from `start`, at most to `stop`, at most `max_records`; the chunk makes progress if start < stop."""
        if start >= stop:
            return Chunk(partition, start, start, ())
        tp = TopicPartition(self._topic, partition)
        try:
            reached, records = self._poll(tp, start, max_records)
        except KafkaError as error:
            raise translate(error, f"reading {tp.topic} partition {partition} at {start}") from error
        chunk = Chunk(partition, start, min(reached, stop), [record for record in records if record.offset < stop])
        self._next[partition] = reached
        if reached >= stop:
            self._release(partition)
        return chunk

    def close(self) -> None:
        """Release the connections. Idempotent, bounded."""
        self._consumer.close(autocommit=False, timeout_ms=self._timeout_seconds * 1000)

    def _poll(self, tp: TopicPartition, start: int, max_records: int) -> tuple[int, list[Any]]:
        """Poll one partition until its position moves; return the position and the records before it."""
        self._focus(tp, start)
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            records = self._fetching.poll(SLICE_MS, max_records).get(tp, [])
            reached = self._consumer._subscription.position(tp).offset  # noqa: SLF001 - consumer.position() may ask brokers
            if reached > start:
                return reached, records
            if time.monotonic() > deadline:
                msg = f"{tp.topic} partition {tp.partition} gave nothing at {start} within {self._timeout_seconds:g} s"
                raise RetriableError(msg)

    def _focus(self, tp: TopicPartition, start: int) -> None:
        """Let only this partition be read. The others stay assigned, paused, so that what was fetched ahead is kept."""
        known = self._next.get(tp.partition)
        self._next[tp.partition] = start
        assigned = [TopicPartition(self._topic, partition) for partition in self._next]
        if known is None:
            self._consumer.assign(assigned)
        if known != start:
            self._consumer.seek(tp, start)
        self._consumer.pause(*(other for other in assigned if other != tp))
        self._consumer.resume(tp)

    def _release(self, partition: int) -> None:
        del self._next[partition]
        self._consumer.assign([TopicPartition(self._topic, other) for other in self._next])
