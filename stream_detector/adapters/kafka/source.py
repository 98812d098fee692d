"""Reads the input topic from Kafka as a member of a consumer group. Implements ports.Source.

Chunks chain by position: each starts where the one before it ended, and ends at the client's position after the poll. So
transaction markers and compacted records, which no poll returns, leave no gap. The source does not decide where to start: it
reports a partition that was assigned, or whose position is no longer in the log, and pauses it until the pipeline seeks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, LogTruncationError, OffsetOutOfRangeError

from stream_detector.adapters.kafka.client_patches.bounded_consumer import (
    fetch_metadata,
    forget_offset_requests,
    is_known,
    position,
)
from stream_detector.adapters.kafka.client_patches.patched_fetcher import PatchedFetcher
from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.membership import GroupMember, RebalanceListener
from stream_detector.adapters.kafka.options import consumer_options
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import KafkaTopics, TopicDescription
from stream_detector.errors import RetriableError
from stream_detector.ports import Chunk, Polled
from stream_detector.settings.kafka_settings import KafkaSettings

logger = logging.getLogger(__name__)

#: Longest wait for leaving the group. During a rebalance the brokers answer only after it, and an orderly stop cannot wait.
CLOSE_SECONDS = 3.0
#: The longest pause after a poll that found its connection broken.
BROKEN_SECONDS = 0.2


class KafkaSource:
    """ports.Source on Kafka. Not thread-safe: one thread uses it."""

    def __init__(self, settings: KafkaSettings, assignor: type | None = None) -> None:
        """Connect. `assignor` divides the partitions among the members, instead of the usual one, the same in all of them."""
        self._settings = settings
        self._topic = settings.input_topic
        self._timeout_ms = settings.request_timeout_seconds * 1000
        own = {"partition_assignment_strategy": (assignor,)} if assignor else {}
        self._consumer: KafkaConsumer = open_client(KafkaConsumer, consumer_options(settings) | own)
        self._fetcher = PatchedFetcher(self._consumer)
        self._rebalances = RebalanceListener(self._consumer)
        self._consumer.subscribe([self._topic], listener=self._rebalances)
        self._member = GroupMember(self._consumer, settings.instance_id, settings.session_timeout_seconds)
        self._held: frozenset[int] = frozenset()  # as reported to the pipeline
        self._next: dict[int, int] = {}  # where the next chunk of a partition starts
        self._topics: KafkaTopics | None = None
        self._reader: KafkaReader | None = None
        self._closed = False
        self._learn_partitions()

    def poll(self, timeout_seconds: float) -> Polled:
        """See ports.Source."""
        records: dict[TopicPartition, list[Any]] = {}
        out_of_range: frozenset[int] = frozenset()
        least_seconds = self._member.resume_pending_join()
        try:
            timeout_ms = max(timeout_seconds, least_seconds) * 1000
            records = self._fetcher.poll_latest(timeout_ms, self._settings.max_poll_records)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            out_of_range = self._drop(error)
        except KafkaConnectionError as error:
            # The client reconnects by itself; the heartbeats show whether the brokers answer.
            logger.debug("a connection broke: %s", error)
            time.sleep(min(timeout_seconds, BROKEN_SECONDS))  # a poll that fails at once must not spin
        except KafkaError as error:
            raise self._translated(error, "reading") from error
        # In this order: a proof taken after the assignment could belong to a later generation than the records.
        membership = self._member.proof()
        missed = self._held if self._member.has_missed_a_generation(membership) else frozenset()
        revoked, assigned = self._follow_assignment(out_of_range | missed)
        if not self._held and not revoked and not is_known(self._consumer, self._topic):
            self._description()  # raises if the topic is gone
        return Polled(self._chunks(records), membership, revoked, assigned, self._fetcher.take_lost_offsets())

    def committed(self, partition: int) -> int | None:
        """See ports.Source."""
        found = self._committed(partition)
        return None if found is None or found.offset < 0 else int(found.offset)

    def note(self, partition: int) -> str:
        """See ports.Source."""
        found = self._committed(partition)
        return "" if found is None else str(found.metadata or "")

    def partitions(self) -> frozenset[int]:
        """See ports.Source."""
        return frozenset(self._description().partitions)

    def bounds(self, partition: int) -> tuple[int, int]:
        """See ports.Source."""
        return self._reading().bounds(partition)

    def ends(self) -> Mapping[int, int]:
        """See ports.Source."""
        reader = self._reading()
        return reader.ends_of(reader.partitions())

    def position_at(self, partition: int, time_ms: int) -> int:
        """See ports.Source."""
        return self._reading().position_at(partition, time_ms)

    def topic_id(self) -> str:
        """See ports.Source."""
        return self._description().topic_id

    def seek(self, partition: int, position: int) -> None:
        """See ports.Source. Ignores a partition that was revoked meanwhile: the next poll reports it."""
        if self._of(partition) in self._consumer.assignment():
            self._consumer.seek(self._of(partition), position)
            self._consumer.resume(self._of(partition))
            self._next[partition] = position

    def pause(self, partitions: Sequence[int]) -> None:
        """See ports.Source."""
        assignment = self._consumer.assignment()
        self._consumer.pause(*(tp for tp in map(self._of, partitions) if tp in assignment))

    def resume(self, partitions: Sequence[int]) -> None:
        """See ports.Source. Ignores a partition that was revoked meanwhile, or has no position yet."""
        assignment = self._consumer.assignment()
        self._consumer.resume(*(self._of(p) for p in partitions if p in self._next and self._of(p) in assignment))

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """See ports.Source."""
        return self._reading().read(partition, start, stop, max_records)

    def close(self) -> None:
        """See ports.Source."""
        if self._closed:
            return
        self._closed = True
        try:
            self._consumer.close(autocommit=False, timeout_ms=min(self._timeout_ms, CLOSE_SECONDS * 1000))
        except KafkaError as error:
            logger.warning("leaving the group failed; the brokers notice after the session time-out: %s", error)
        for part in (self._reader, self._topics):
            if part is not None:
                part.close()

    def _committed(self, partition: int) -> OffsetAndMetadata | None:
        forget_offset_requests(self._consumer)
        try:
            # The consumer is read_committed, so the broker answers only when no open transaction may change the offset.
            return self._consumer.committed(self._of(partition), metadata=True, timeout_ms=self._timeout_ms)
        except KafkaError as error:
            raise self._translated(error, f"looking up the committed position of partition {partition}") from error

    def _learn_partitions(self) -> None:
        """Look up the topic's partitions before the first poll joins the group.

        A group leader that does not know the topic's partitions assigns none, and every member looks ready while owning none.
        """
        try:
            fetch_metadata(self._consumer, self._timeout_ms)
        except KafkaError as error:
            self.close()
            raise self._translated(error, "looking up the partitions") from error

    def _follow_assignment(self, lost: frozenset[int]) -> tuple[frozenset[int], frozenset[int]]:
        """Return the partitions revoked and assigned since the last call; forget the positions of both."""
        current = frozenset(tp.partition for tp in self._consumer.assignment())
        lost |= self._rebalances.take_revoked()
        revoked = frozenset(p for p in self._held if p in lost or p not in current)
        assigned = current - (self._held - revoked)
        for partition in revoked | assigned:
            self._next.pop(partition, None)
        self._consumer.pause(*map(self._of, assigned))
        self._held = current
        return revoked, assigned

    def _drop(self, error: OffsetOutOfRangeError | LogTruncationError) -> frozenset[int]:
        """Return the partitions whose position is no longer in the log, after pausing them at a placeholder."""
        named = error.divergent_offsets if isinstance(error, LogTruncationError) else error.args[0]
        lost = set(named) & self._consumer.assignment()
        for tp in lost:
            logger.warning("partition %d no longer holds position %s", tp.partition, self._next.get(tp.partition))
        self._rebalances.on_partitions_assigned(lost)
        return frozenset(tp.partition for tp in lost)

    def _chunks(self, records: dict[TopicPartition, list[Any]]) -> tuple[Chunk, ...]:
        """Cut the records into chunks that end at the client's positions, and advance to those positions."""
        chunks = []
        for partition, start in self._next.items():
            stop = position(self._consumer, self._of(partition))
            if stop > start:
                chunks.append(Chunk(partition, start, stop, records.get(self._of(partition), ())))
                self._next[partition] = stop
        return tuple(chunks)

    def _description(self) -> TopicDescription:
        if self._topics is None:
            self._topics = KafkaTopics(self._settings)
        found = self._topics.describe(self._topic)
        if found is None:
            msg = f"there is no topic {self._topic}: it was deleted. Create it again; reading then starts at its beginning"
            raise RetriableError(msg)
        return found

    def _reading(self) -> KafkaReader:
        if self._reader is None:
            self._reader = KafkaReader(self._settings, self._topic)
        return self._reader

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    def _translated(self, error: KafkaError, doing: str) -> Exception:
        group = f"{doing} in topic {self._topic} as group {self._settings.group_id}"
        return translate(error, group, self._settings.instance_id)
