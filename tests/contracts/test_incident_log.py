"""The contract of ports.IncidentLog, on the log in memory and on a real Kafka."""

from __future__ import annotations

import json

import pytest

from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.detection.open_incidents import OpenIncident
from stream_detector.errors import MembershipLostError
from stream_detector.ports import IncidentLog
from stream_detector.readings import Message
from tests.contracts.brokers import Broker, KafkaBroker, MemoryBroker
from tests.contracts.reader import reader_of
from tests.fakes.memory_sink import MemoryIncidentLog

OPENED_MS = 1_795_417_200_000


def incident_log(world: Broker, alerts_topic: str = "") -> IncidentLog:
    """Return the incident log on a world's output topic, or on another one."""
    topic = alerts_topic or world.output_topic
    if isinstance(world, KafkaBroker):
        return KafkaIncidentLog(world.settings.model_copy(update={"alerts_topic": topic}))
    assert isinstance(world, MemoryBroker)
    return MemoryIncidentLog(world.log, world.input_topic, topic)


def event(world: Broker, status: str, sensor: str, last_offset: int, *, partition: int = 0, topic: str = "") -> Message:
    """Return an event of an incident that opened at offset 10."""
    content = {
        "status": status,
        "sensor_id": sensor,
        "timestamp": "2026-11-23T07:00:01Z",
        "window": {"topic": topic or input_topic(world), "partition": partition, "last_offset": last_offset},
        "incident": {"opened_at": "2026-11-23T07:00:00.000Z", "opened_offset": 10, "peak_score": 2.5},
    }
    return Message(world.output_topic, sensor.encode(), json.dumps(content).encode())


def input_topic(world: Broker) -> str:
    assert isinstance(world, KafkaBroker | MemoryBroker)
    return world.input_topic


def publish(world: Broker, *messages: Message) -> None:
    """Commit messages, each in a transaction of its own."""
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    for message in messages:
        sink.commit([message], {0: 0}, reader.membership)
    sink.close()


def open_sensors(world: Broker, partition: int = 0, position: int = 100) -> list[str]:
    return sorted(incident.sensor_id for incident in incident_log(world).open_incidents(partition, position))


def test_an_empty_topic_leaves_nothing_open(world: Broker) -> None:
    assert incident_log(world).open_incidents(0, 100) == []


def test_a_topic_that_does_not_exist_leaves_nothing_open(world: Broker) -> None:
    assert incident_log(world, f"{world.output_topic}-missing").open_incidents(0, 100) == []


def test_incidents_that_were_opened_or_updated_last_are_open_with_what_their_newest_event_says(world: Broker) -> None:
    publish(
        world,
        event(world, "opened", "pump-1", 10),
        event(world, "opened", "pump-2", 11),
        event(world, "updated", "pump-1", 12),
        event(world, "closed", "pump-2", 13),
        event(world, "opened", "pump-3", 14),
    )

    found = incident_log(world).open_incidents(0, 100)

    assert sorted(found, key=lambda incident: incident.sensor_id) == [
        OpenIncident(sensor, 10, OPENED_MS, 2.5, OPENED_MS + 1000) for sensor in ("pump-1", "pump-3")
    ]


def test_events_of_readings_from_the_position_on_do_not_count(world: Broker) -> None:
    publish(world, event(world, "opened", "pump-1", 10), event(world, "closed", "pump-1", 20), event(world, "opened", "b", 20))

    assert open_sensors(world, position=20) == ["pump-1"]
    assert open_sensors(world, position=21) == ["b"]


def test_each_partition_has_its_own_incidents_and_another_topics_do_not_count(world: Broker) -> None:
    publish(
        world,
        event(world, "opened", "pump-1", 10, partition=0),
        event(world, "opened", "pump-2", 10, partition=1),
        event(world, "opened", "pump-3", 10, topic="another-topic"),
    )

    assert open_sensors(world, partition=0) == ["pump-1"]
    assert open_sensors(world, partition=1) == ["pump-2"]


def test_what_is_no_event_is_skipped(world: Broker) -> None:
    publish(world, Message(world.output_topic, b"k", b"\x00 no event"), event(world, "opened", "pump-1", 10))

    assert open_sensors(world) == ["pump-1"]


def test_events_that_were_not_committed_do_not_count(world: Broker) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})

    with pytest.raises(MembershipLostError):
        sink.commit([event(world, "opened", "pump-1", 10)], {0: 0}, None)
    sink.reset()
    sink.commit([event(world, "opened", "pump-2", 10)], {0: 0}, reader.membership)

    assert open_sensors(world) == ["pump-2"]
