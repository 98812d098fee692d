"""Brokers for the contract suites, in memory and a real Kafka, each with one input topic and one output topic.

The brokers act as operators and other programs would; the tests observe the effects through ports.Source and ports.Sink.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.options import admin_options, producer_options, reader_options
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.ports import Chunk, Sink, Source
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_sink import MemorySink
from tests.fakes.memory_source import MemorySource
from tests.integration.topics import configure_topic, until

#: Event times of the tests; topics keep records however old they are.
START_MS = 1_700_000_000_000
MAX_RECORD_BYTES = 100_000


class Broker(Protocol):
    """The operations of the contract suite on a broker. Records are given as values; their keys equal the values."""

    output_topic: str
    #: The longest wait for anything to happen.
    patience_seconds: float

    def source(self, instance_id: str | None = None, max_poll_records: int = 500) -> Source: ...

    def sink(self, instance_id: str | None = None) -> Sink: ...

    def produce(self, partition: int, values: Sequence[bytes], *, start_ms: int = START_MS) -> None:
        """Append records, a second apart in time."""

    def produce_transaction(self, partition: int, values: Sequence[bytes], *, commit: bool) -> None:
        """Append the records of a transaction and its marker."""

    def produce_compacted(self, partition: int, count: int) -> None:
        """Append records b"0", b"1" ... of one key and b"last" of another, and let the log keep the newest of each key."""

    def trim(self, partition: int, before: int) -> None: ...

    def add_partitions(self, total: int) -> None: ...

    def recreate(self) -> None:
        """Delete the input topic and create it again, empty."""

    def evict(self, source: Source) -> None:
        """Remove a member from the group without its consent."""

    def output(self) -> list[bytes]:
        """Return the values that a reader of committed records sees in the output topic."""

    def close(self) -> None: ...


@dataclass(slots=True)
class MemoryBroker:
    """A broker in this process."""

    input_topic: str
    output_topic: str
    log: MemoryLog = field(default_factory=lambda: MemoryLog(max_message_bytes=MAX_RECORD_BYTES))
    patience_seconds: float = 0.0

    def create(self, partitions: int) -> None:
        self.log.create_topic(self.input_topic, partitions)
        self.log.create_topic(self.output_topic, 2)

    def source(self, instance_id: str | None = None, max_poll_records: int = 500) -> MemorySource:
        return MemorySource(self.log, self.input_topic, "group", instance_id, max_poll_records)

    def sink(self, instance_id: str | None = None) -> MemorySink:
        return MemorySink(self.log, self.input_topic, instance_id)

    def produce(self, partition: int, values: Sequence[bytes], *, start_ms: int = START_MS) -> None:
        for place, value in enumerate(values):
            self.log.append(self.input_topic, partition, value, key=value, timestamp=start_ms + 1000 * place)

    def produce_transaction(self, partition: int, values: Sequence[bytes], *, commit: bool) -> None:
        if commit:
            self.produce(partition, values)
        self.log.append_gap(self.input_topic, partition, 1 if commit else len(values) + 1)

    def produce_compacted(self, partition: int, count: int) -> None:
        for place in range(count):
            self.log.append(self.input_topic, partition, b"%d" % place, key=b"key", timestamp=START_MS)
        self.produce(partition, [b"last"])
        self.log.compact(self.input_topic, partition)

    def trim(self, partition: int, before: int) -> None:
        self.log.trim(self.input_topic, partition, before)

    def add_partitions(self, total: int) -> None:
        self.log.add_partitions(self.input_topic, total)

    def recreate(self) -> None:
        self.log.recreate_topic(self.input_topic)

    def evict(self, source: Source) -> None:
        assert isinstance(source, MemorySource)
        source.evict()

    def output(self) -> list[bytes]:
        return [record.value or b"" for record in self.log.records(self.output_topic)]

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class KafkaBroker:
    """A real Kafka, shared with other tests: all names are unique to the test."""

    patience_seconds = 30.0

    def __init__(self, brokers: str, name: str, **extra: object) -> None:
        self.settings = KafkaSettings(
            brokers=brokers,
            input_topic=f"{name}.input",
            alerts_topic=f"{name}.output",
            dead_letter_topic=f"{name}.dead",
            group_id=name,
            session_timeout_seconds=3,
            request_timeout_seconds=5,
            transaction_timeout_seconds=5,
            extra={"metadata_max_age_ms": 300, **extra},
        )
        self.input_topic, self.output_topic = self.settings.input_topic, self.settings.alerts_topic
        self.topics = KafkaTopics(self.settings)
        self.admin: KafkaAdminClient = open_client(KafkaAdminClient, admin_options(self.settings))
        self._plain: KafkaProducer = open_client(KafkaProducer, producer_options(self.settings))
        self._opened: list[Any] = []

    def create(self, partitions: int, **configuration: str) -> None:
        self.topics.create(self.input_topic, partitions, {"retention.ms": "-1", **configuration})
        self.topics.create(self.output_topic, 2, {"max.message.bytes": str(MAX_RECORD_BYTES)})

    def source(self, instance_id: str | None = None, max_poll_records: int = 500) -> KafkaSource:
        changes = {"instance_id": instance_id, "max_poll_records": max_poll_records}
        self._opened.append(KafkaSource(self.settings.model_copy(update=changes)))
        return self._opened[-1]  # type: ignore[no-any-return]  # made in the line before

    def sink(self, instance_id: str | None = None) -> KafkaSink:
        self._opened.append(KafkaSink(self.settings.model_copy(update={"instance_id": instance_id})))
        return self._opened[-1]  # type: ignore[no-any-return]  # made in the line before

    def produce(self, partition: int, values: Sequence[bytes], *, start_ms: int = START_MS) -> None:
        self._send(self._plain, partition, values, start_ms)
        self._plain.flush(timeout=self.patience_seconds)

    def produce_transaction(self, partition: int, values: Sequence[bytes], *, commit: bool) -> None:
        producer: KafkaProducer = open_client(KafkaProducer, producer_options(self.settings, f"{self.settings.group_id}-input"))
        producer.init_transactions()
        producer.begin_transaction()
        self._send(producer, partition, values, START_MS)
        producer.flush(timeout=self.patience_seconds)
        producer.commit_transaction() if commit else producer.abort_transaction()
        producer.close(timeout=self.patience_seconds)

    def produce_compacted(self, partition: int, count: int) -> None:
        changes = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
        configure_topic(self.admin, self.input_topic, changes)
        for place in range(count):
            self._plain.send(self.input_topic, b"%d" % place, b"key", partition=partition, timestamp_ms=START_MS)
        self._plain.flush(timeout=self.patience_seconds)
        time.sleep(0.2)  # the next record starts a new segment: Kafka never compacts the active one
        self.produce(partition, [b"last"], start_ms=START_MS + 1000)
        with closing(KafkaReader(self.settings, self.input_topic)) as reader:
            until(lambda: len(read_all(reader.read, partition, *reader.bounds(partition))) == 2, self.patience_seconds)

    def trim(self, partition: int, before: int) -> None:
        self.admin.delete_records({TopicPartition(self.input_topic, partition): before})

    def add_partitions(self, total: int) -> None:
        self.admin.create_partitions({self.input_topic: total})

    def recreate(self) -> None:
        description = self.topics.describe(self.input_topic)
        assert description is not None
        self.admin.delete_topics([self.input_topic])
        until(lambda: self.topics.describe(self.input_topic) is None, self.patience_seconds)
        self.topics.create(self.input_topic, len(description.partitions), {"retention.ms": "-1"})

    def evict(self, source: Source) -> None:
        assert isinstance(source, KafkaSource)
        member = source._consumer.group_metadata().member_id
        self.admin.remove_group_members(self.settings.group_id, [MemberToRemove(member_id=member)])

    def output(self) -> list[bytes]:
        reader: KafkaConsumer = open_client(KafkaConsumer, reader_options(self.settings))
        partitions = [TopicPartition(self.output_topic, p) for p in range(2)]
        ends = reader.end_offsets(partitions)
        reader.assign(partitions)
        for tp in partitions:
            reader.seek(tp, 0)
        values: list[bytes] = []
        deadline = time.monotonic() + self.patience_seconds
        while any(reader._subscription.position(tp).offset < ends[tp] for tp in partitions):
            assert time.monotonic() < deadline
            values.extend(record.value for records in reader.poll(timeout_ms=100).values() for record in records)
        reader.close(autocommit=False)
        return values

    def close(self) -> None:
        for opened in self._opened:
            opened.close()
        self._plain.close(timeout=self.patience_seconds)
        with suppress(Exception):  # a topic may be gone; deleting the rest only keeps a shared broker tidy
            self.admin.delete_topics([self.input_topic, self.output_topic])
        self.admin.close()
        self.topics.close()

    def _send(self, producer: KafkaProducer, partition: int, values: Sequence[bytes], start_ms: int) -> None:
        for place, value in enumerate(values):
            producer.send(self.input_topic, value, value, partition=partition, timestamp_ms=start_ms + 1000 * place)


def read_all(read: Callable[[int, int, int, int], Chunk], partition: int, start: int, stop: int) -> list[bytes | None]:
    """Read a span, and check that its chunks chain."""
    values: list[bytes | None] = []
    while start < stop:
        chunk = read(partition, start, stop, 100)
        assert start == chunk.start < chunk.stop <= stop
        values.extend(record.value for record in chunk.records)
        start = chunk.stop
    return values
