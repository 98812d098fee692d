"""Silences through a real Kafka and Valkey: three of twelve sensors, then everything; with a restart in the middle of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from stream_detector.detection.events import Event, read_event
from stream_detector.settings.schema import RedisSettings
from tests.fakes.clock import Clock
from tests.integration.replica import Replica, build_pipeline
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import ReplicaConfig, reading

SENSORS = [f"pump-{number}" for number in range(12)]
SILENT = ("pump-3", "pump-7", "pump-8")
PARTITIONS, ROWS, SILENT_FROM = 4, 200, 80
START_MS = 1_767_300_000_000


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name, PARTITIONS)) as made:
        yield made


def produce(topics: Topics, rows: range, sensors: list[str]) -> None:
    """Write a reading a second of these sensors. Three of them have a partition of their own: pump-3, pump-7 and pump-11."""
    for partition in range(PARTITIONS):
        ours = [sensor for sensor in sensors if SENSORS.index(sensor) % PARTITIONS == partition]
        records = [(sensor, reading(sensor, START_MS + 1000 * row, float(row), 1.0)) for row in rows for sensor in ours]
        topics.produce(partition, records)


class Steps:
    """A replica whose clock advances by a second with each step."""

    def __init__(self, topics: Topics, redis_url: str) -> None:
        self.clock = Clock()
        self.replica = Replica(topics.settings, redis_url)
        detector = ReplicaConfig(margin=50.0, silent_s=60).detector()
        self.replica.pipeline = build_pipeline(topics.settings, self.replica.connections, detector, self.clock)

    def read(self, topics: Topics) -> None:
        """Step until everything is committed, and somewhat longer."""
        ends = topics.ends()
        until(lambda: self._step() and topics.committed() == ends)
        self.idle(5)

    def idle(self, seconds: int) -> None:
        """Step for this long, in which nothing arrives."""
        for _ in range(seconds):
            self._step()

    def _step(self) -> bool:
        self.clock.advance(1.0)
        self.replica.step()
        return self.replica.pipeline.is_ready


def events(topics: Topics) -> list[Event]:
    return [read_event(record.value) for record in topics.alerts()]


def told(topics: Topics) -> list[tuple[str, str, str]]:
    return sorted((event.type, event.sensor_id, event.status) for event in events(topics))


def test_three_of_twelve_sensors_and_then_everything(topics: Topics, redis_url: str) -> None:
    assert RedisSettings().ttl_seconds > 0
    produce(topics, range(SILENT_FROM), SENSORS)
    first = Steps(topics, redis_url)
    first.read(topics)
    others = [sensor for sensor in SENSORS if sensor not in SILENT]
    produce(topics, range(SILENT_FROM, SILENT_FROM + 40), others)
    first.read(topics)
    assert told(topics) == []
    first.replica.close()

    second = Steps(topics, redis_url)  # it has none of the silent sensors in memory
    produce(topics, range(SILENT_FROM + 40, ROWS), others)
    second.read(topics)
    opened = [("silent", sensor, "opened") for sensor in sorted(SILENT)]
    assert told(topics) == opened
    assert {event.timestamp for event in events(topics)} == {"2026-01-01T20:42:19.000Z"}
    second.replica.close()

    third = Steps(topics, redis_url)
    third.read(topics)
    third.idle(150)
    assert told(topics) == [("input_silent", "", "opened"), *opened]
    third.replica.close()

    fourth = Steps(topics, redis_url)
    fourth.idle(150)
    produce(topics, range(5000, 5050), SENSORS)
    fourth.read(topics)
    fourth.replica.close()

    closed = [("silent", sensor, "closed") for sensor in SILENT]
    assert told(topics) == sorted([("input_silent", "", "opened"), ("input_silent", "", "closed"), *opened, *closed])
    assert len({event.event_id for event in events(topics)}) == 8


def test_a_partition_that_falls_silent_as_a_whole(topics: Topics, redis_url: str) -> None:
    produce(topics, range(SILENT_FROM), SENSORS)
    replica = Steps(topics, redis_url)
    replica.read(topics)
    silent = [sensor for sensor in SENSORS if SENSORS.index(sensor) % PARTITIONS == 1]
    others = [sensor for sensor in SENSORS if sensor not in silent]
    for row in range(SILENT_FROM, SILENT_FROM + 90, 10):
        produce(topics, range(row, row + 10), others)
        replica.idle(10)
    replica.replica.close()

    again = Steps(topics, redis_url)
    produce(topics, range(SILENT_FROM + 90, ROWS), others)
    again.read(topics)
    assert told(topics) == [("silent", sensor, "opened") for sensor in sorted(silent)]
    produce(topics, range(ROWS, ROWS + 5), SENSORS)
    again.read(topics)
    again.replica.close()

    assert told(topics) == sorted(("silent", sensor, status) for sensor in silent for status in ("opened", "closed"))
