"""Writes the topics for benchmarks of restoring: quickly, a long log of many sensors; at a pace, a live partition."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.partitioner.default import murmur2
from kafka.structs import OffsetAndMetadata

from stream_detector.settings.kafka_settings import KafkaSettings
from tests.servers.kafka_java import fetch_jars

START_MS = 1_767_225_600_000
INTERVAL_MS = 1000
WRITE_SECONDS = 1800.0
#: The live partition: so many sensors, half of them read at each tick.
LIVE_SENSORS, TICKS_PER_SECOND = 20, 20


@dataclass(frozen=True, slots=True)
class Received:
    """The times of a record of the live partition and of its dead letter, by time.time()."""

    written_seconds: float
    received_seconds: float


def names(partition: int, partitions: int, count: int) -> list[str]:
    """Return sensors whose keys map to this partition in Kafka's clients."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        name = f"pump-{number:07}"
        if (murmur2(name.encode()) & 0x7FFF_FFFF) % partitions == partition:
            found.append(name)
        number += 1
    return found


def write_rounds(brokers: str, topic: str, sensors: list[str], first: int, rounds: int) -> None:
    """Append `rounds` readings of each sensor."""
    write_lines(brokers, topic, _lines(sensors, first, rounds))


def write_lines(brokers: str, topic: str, lines: Iterable[bytes]) -> None:
    """Append records, each a line `key|value`, by Kafka's own console producer: a Python client takes minutes for millions."""
    producer = ["java", "-Xmx256m", "-cp", f"{fetch_jars()}/*", "org.apache.kafka.tools.ConsoleProducer"]
    where = ["--bootstrap-server", brokers, "--topic", topic, "--batch-size", "262144", "--timeout", "20"]
    with tempfile.TemporaryFile() as file:
        file.writelines(lines)
        file.seek(0)
        command = [*producer, *where, "--reader-property", "parse.key=true", "--reader-property", "key.separator=|"]
        subprocess.run(
            command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=WRITE_SECONDS, check=True
        )


def _lines(sensors: list[str], first: int, rounds: int) -> Iterator[bytes]:
    for turn in range(first, first + rounds):
        time_ms = START_MS + turn * INTERVAL_MS
        for number, sensor in enumerate(sensors):
            value = {"sensor_id": sensor, "timestamp": time_ms, "values": {"value": 20 + (turn + number) % 97 / 100}}
            yield b"%s|%s\n" % (sensor.encode(), json.dumps(value).encode())


def commit(settings: KafkaSettings, positions: dict[int, int]) -> None:
    """Set the committed positions of a group without members."""
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, group_id=settings.group_id, enable_auto_commit=False)
    offsets = {TopicPartition(settings.input_topic, one): OffsetAndMetadata(at, "", -1) for one, at in positions.items()}
    consumer.assign(list(offsets))
    consumer.commit(offsets)
    consumer.close(autocommit=False)


def live(settings: KafkaSettings, sensors: list[str], partition: int, told: Connection) -> None:
    """Write readings to a partition, and record when their output can be read, until stopped; runs in a process.

    What is noted are dead letters: they are published like events, in the same transactions, and the test decides which
    record becomes one.
    """
    producer = KafkaProducer(bootstrap_servers=settings.brokers)
    letters = KafkaConsumer(
        settings.dead_letter_topic,
        bootstrap_servers=settings.brokers,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    letters.poll(timeout_ms=1000)
    told.send(None)
    begun, tick = time.time(), 0
    received: list[Received] = []
    while not told.poll():
        while tick < (time.time() - begun) * TICKS_PER_SECOND:
            values = [_live_reading(sensor, tick) for sensor in sensors[tick % 2 :: 2]]
            for value in [*values, json.dumps({"written_seconds": time.time()}).encode()]:
                producer.send(settings.input_topic, value, partition=partition)
            tick += 1
        for records in letters.poll(timeout_ms=1000 / TICKS_PER_SECOND).values():
            now = time.time()
            received += [Received(json.loads(record.value)["written_seconds"], now) for record in records]
    told.recv()
    told.send(received)
    producer.close(timeout=10)
    letters.close(autocommit=False)


def _live_reading(sensor: str, tick: int) -> bytes:
    value = {"sensor_id": sensor, "timestamp": int(1000 * time.time()), "values": {"value": 20 + tick % 97 / 97}}
    return json.dumps(value).encode()
