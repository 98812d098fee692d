"""The topics and the group of one test, on a real Kafka: writes readings, and reads events and dead letters.

Reads only committed records. Writes readings to explicit partitions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.readings import Message, Record
from stream_detector.settings.kafka_settings import KafkaSettings

PATIENCE_SECONDS = 60.0


class Topics:
    """Input, alerts and dead-letter topics with names of their own. Must be closed."""

    def __init__(self, brokers: str, name: str, partitions: int = 2, **changes: object) -> None:
        self.settings = KafkaSettings.model_validate(
            {
                "brokers": brokers,
                "input_topic": f"{name}.readings",
                "alerts_topic": f"{name}.alerts",
                "dead_letter_topic": f"{name}.dead",
                "group_id": name,
                "partitions": partitions,
                "session_timeout_seconds": 6,
                "request_timeout_seconds": 10,
                "transaction_timeout_seconds": 10,
                **changes,
            }
        )
        with KafkaTopics(self.settings) as topics:
            topics.ensure()
        self.connect()

    def connect(self) -> None:
        """Open the clients."""
        self.admin: Any = KafkaAdminClient(bootstrap_servers=self.settings.brokers)
        self._producer: Any = KafkaProducer(bootstrap_servers=self.settings.brokers, metadata_max_age_ms=1000)
        self._readers: dict[str, tuple[Any, list[Any]]] = {}

    def disconnect(self) -> None:
        """Close the clients."""
        for topic in list(self._readers):
            self.forget(topic)
        self._producer.close(timeout=PATIENCE_SECONDS)
        self.admin.close()

    def produce(self, partition: int, readings: Iterable[tuple[str, bytes]], timestamp_ms: int | None = None) -> None:
        """Append (sensor, value) records; return when the brokers have them."""
        sent = [
            self._producer.send(
                self.settings.input_topic, value, sensor.encode(), partition=partition, timestamp_ms=timestamp_ms
            )
            for sensor, value in readings
        ]
        self._producer.flush(timeout=PATIENCE_SECONDS)
        for future in sent:
            future.get(timeout=0)

    def input(self) -> list[Any]:
        """Return the records of the input topic, each partition in order."""
        return self._records(self.settings.input_topic)

    def alerts(self) -> list[Any]:
        """Return the committed records of the alerts topic, each partition in order."""
        return self._records(self.settings.alerts_topic)

    def dead_letters(self) -> list[Any]:
        """Return the committed records of the dead-letter topic."""
        return self._records(self.settings.dead_letter_topic)

    def committed(self) -> dict[int, int]:
        """Return the group's positions; none while the brokers have no coordinator for it."""
        try:
            found = self.admin.list_group_offsets(self.settings.group_id)[self.settings.group_id]
        except KafkaError as error:
            if not error.retriable:
                raise
            # A client that knew a broker which is away now may go on asking it: ask with a new one.
            self.admin.close()
            self.admin = KafkaAdminClient(bootstrap_servers=self.settings.brokers)
            return {}
        return {tp.partition: one.offset for tp, one in found.items() if one.offset >= 0}

    def ends(self) -> dict[int, int]:
        """Return the ends of the input topic's partitions."""
        with KafkaTopics(self.settings) as topics:
            found = topics.describe(self.settings.input_topic)
        assert found is not None
        tps = [TopicPartition(self.settings.input_topic, partition) for partition in found.partitions]
        name = self.settings.input_topic
        if not set(found.partitions) <= self._reader(name)[0].partitions_for_topic(name):
            self.forget(name)  # a client learns late of new partitions, and fails when it is asked for them
        return {tp.partition: end for tp, end in self._reader(name)[0].end_offsets(tps).items()}

    def members(self) -> int:
        """Return how many members the group has."""
        return len(self.admin.describe_groups([self.settings.group_id])[self.settings.group_id]["members"])

    def await_all_committed(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the group has committed everything that is in the input topic now."""
        ends: dict[int, int] = {}

        def are_ends_known() -> bool:
            try:
                ends.update({partition: end for partition, end in self.ends().items() if end})
            except KafkaError:  # a client that knew a broker which is away now: ask with a new one
                self.forget(self.settings.input_topic)
                return False
            return True

        until(are_ends_known, patience_seconds)

        def is_committed() -> bool:
            committed = self.committed()
            return all(committed.get(partition, 0) >= end for partition, end in ends.items())

        until(is_committed, patience_seconds)

    def await_stable(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until no transaction is open on the output topics: an open one hides all later records."""
        with closing(KafkaConsumer(bootstrap_servers=self.settings.brokers, enable_auto_commit=False)) as plain:
            for topic in (self.settings.alerts_topic, self.settings.dead_letter_topic):
                committed = self._reader(topic)[0]
                partitions = [TopicPartition(topic, number) for number in plain.partitions_for_topic(topic)]
                until(partial(_are_ends_equal, committed, plain, partitions), patience_seconds)

    def await_partitions(self, count: int) -> None:
        """Wait until admin client and producer both see this number of partitions of the input topic."""
        until(lambda: len(self.ends()) == count)
        until(lambda: len(self._producer.partitions_for(self.settings.input_topic)) == count)

    def configure_input(self, changes: Mapping[str, str]) -> None:
        """Change settings of the input topic; return when the broker works with them."""
        configure_topic(self.admin, self.settings.input_topic, changes)

    def recreate_input(self) -> None:
        """Delete the input topic and create it again, empty."""
        name, partitions = self.settings.input_topic, len(self.ends())
        self.forget(name)
        with KafkaTopics(self.settings) as topics:
            self.admin.delete_topics([name])
            until(lambda: topics.describe(name) is None)
            topics.create(name, partitions)

    def forget(self, topic: str) -> None:
        """Make the next read start at the beginning of the topic."""
        if topic in self._readers:
            self._readers.pop(topic)[0].close(autocommit=False)

    def close(self) -> None:
        """Delete the topics and close the clients."""
        settings = self.settings
        self.admin.delete_topics([settings.input_topic, settings.alerts_topic, settings.dead_letter_topic])
        self.disconnect()

    def _reader(self, topic: str) -> tuple[Any, list[Any]]:
        if topic not in self._readers:
            consumer = KafkaConsumer(
                bootstrap_servers=self.settings.brokers, enable_auto_commit=False, isolation_level="read_committed"
            )
            self._readers[topic] = consumer, []
        return self._readers[topic]

    def _records(self, topic: str) -> list[Any]:
        """Read up to the current ends; return all records read so far."""
        consumer, records = self._reader(topic)
        partitions = [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))]
        if set(partitions) != consumer.assignment():
            records.clear()
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            for found in consumer.poll(timeout_ms=200).values():
                records.extend(found)
        return list(records)


def _are_ends_equal(one: KafkaConsumer, other: KafkaConsumer, partitions: list[TopicPartition]) -> bool:
    return bool(one.end_offsets(partitions) == other.end_offsets(partitions))


def configure_topic(admin: KafkaAdminClient, topic: str, changes: Mapping[str, str]) -> None:
    """Change settings of a topic; return when the broker works with them, which is a moment after it has taken them."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)

    def is_in_force() -> bool:
        found = admin.describe_configs([resource], config_filter="all")["topic"][topic]
        return all(str(found[name]["value"]) == value for name, value in changes.items())

    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(changes))])
    until(is_in_force)


def by_sensor(records: Iterable[Record | Message]) -> dict[bytes | None, list[bytes | None]]:
    """Return the values of each key, in order."""
    values: dict[bytes | None, list[bytes | None]] = defaultdict(list)
    for record in records:
        values[record.key].append(record.value)
    return dict(values)


def headers(record: Record) -> Mapping[str, bytes | None]:
    """Return a record's headers by name."""
    return dict(record.headers)


def _no_more() -> str:
    return ""


def until(
    condition: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS, explain: Callable[[], str] = _no_more
) -> None:
    """Wait for a condition; fail after a bound, with what `explain` tells."""
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about in time\n{explain()}"
        time.sleep(0.05)
