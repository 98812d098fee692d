"""`run` on a topic without keys: it refuses with the cure, or re-keys and raises each alert once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.readings import Record
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import QUICK_START, STOP_SECONDS, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.integration.unkeyed import produce_unkeyed, read_all, rekeyer_of
from tests.pipeline.replica_config import reading

PARTITIONS, SENSORS = 3, 6
HISTORY, LIVE = 60, 40
FAULTS = {0: 12, 1: 20}  # a reading of these sensors, counted in the live ones, is far too hot
START_MS = (time.time_ns() // 10**9 - 3600) * 1000


def produce(topics: Topics, first: int, count: int) -> None:
    """Append readings of each sensor, a second apart, wherever the next record goes; some are anomalous."""
    records = []
    for second in range(first, first + count):
        for sensor in range(SENSORS):
            temperature, pressure = tiny_values(HISTORY + LIVE, sensor)[second].tolist()
            heat = 40.0 if FAULTS.get(sensor, -1) == second - HISTORY else 0.0
            time_ms = START_MS + 1000 * second + sensor
            value = reading(f"pump-{sensor}", time_ms, temperature + heat, pressure, features=FEATURES)
            records.append(((second * SENSORS + sensor) * 5 // 7 % PARTITIONS, value, time_ms))
    produce_unkeyed(topics.settings.brokers, topics.settings.input_topic, records)


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    made = Topics(kafka_brokers, unique_name, PARTITIONS)
    produce(made, 0, HISTORY)
    yield made
    made.close()


def test_an_unkeyed_topic_is_refused_with_a_sensor_its_places_and_the_cures(
    topics: Topics, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    environ = environment(topics.settings, redis_url, tiny_model_directory, **QUICK_START)

    service = ServiceProcess(environ, tmp_path / "log")
    assert service.process.wait(STOP_SECONDS * 2) == 1

    text = service.log.read_text()
    assert "6 of 6 sensors" in text
    assert "partition 0 offset" in text
    assert "INPUT__REPARTITION=true" in text
    assert "stream-detector rekey" in text
    assert "INPUT__ALLOW_UNKEYED=true" in text
    assert topics.committed() == {}


def test_with_the_setting_each_alert_is_raised_once_whatever_is_killed(
    topics: Topics, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    environ = environment(
        topics.settings,
        redis_url,
        tiny_model_directory,
        INPUT__REPARTITION="true",
        KAFKA__INSTANCE_ID="replica-1",
        RULES__SILENT_SECONDS=0,
        **QUICK_START,
    )
    service = ServiceProcess(environ, tmp_path / "first")
    try:
        service.await_ready()
        ready = service.get("/readyz")
        produce(topics, HISTORY, 10)
        until(lambda: service.metric("rekeyed_readings_total") >= 10 * SENSORS)
        os.kill(rekeyer_of(service.process), signal.SIGKILL)
        code_after_kill = service.process.wait(STOP_SECONDS)
        why = service.log.read_text()
        produce(topics, HISTORY + 10, 15)
        service = ServiceProcess(environ, tmp_path / "second")
        service.await_ready()
        until(lambda: bool(topics.alerts()))
        orphan = rekeyer_of(service.process)
        service.kill()
        until(lambda: not psutil.pid_exists(orphan))
        produce(topics, HISTORY + 25, LIVE - 25)
        service = ServiceProcess(environ, tmp_path / "third")
        service.await_ready()
        between = topics.settings.model_copy(
            update={"input_topic": f"{topics.settings.group_id}-{topics.settings.input_topic}-by-sensor"[-249:]}
        )
        until(lambda: live(read_all(between.brokers, between.input_topic)).total() >= SENSORS * LIVE)
        copied = live(read_all(between.brokers, between.input_topic))
        with closing(KafkaReader(between, between.input_topic)) as reader:
            ends = reader.ends_of(reader.partitions())
        until(lambda: topics.committed() == {number: end for number, end in ends.items() if end})
        exit_code = service.stop()
    finally:
        service.kill()

    events = [json.loads(alert.value) for alert in topics.alerts()]
    assert ready[0] == 200
    assert code_after_kill == 1
    assert "the process that re-keys topic" in why
    assert "was ended by signal 9" in why
    assert exit_code == 0
    assert copied == {(sensor, HISTORY + second): 1 for sensor in range(SENSORS) for second in range(LIVE)}
    assert max(Counter(event["event_id"] for event in events).values()) == 1
    opened = Counter(event["sensor_id"] for event in events if event["status"] == "opened")
    assert {f"pump-{sensor}" for sensor in FAULTS} <= opened.keys()
    assert topics.dead_letters() == []


def test_dead_letters_of_both_topics_are_seen_and_return_once_to_the_topic_of_each(
    topics: Topics, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    """Re-keying rejects the records of pump-21, the detector those of pump-20."""
    strict = {"INPUT__UNKNOWN_FEATURES": "dead_letter", "INPUT__MAX_RECORD_BYTES": 500, "INPUT__REPARTITION": "true"}
    mended = {"INPUT__UNKNOWN_FEATURES": "ignore", "INPUT__REPARTITION": "true"}
    kafka = topics.settings
    of_both = [environment(kafka, redis_url, tiny_model_directory, **each, **QUICK_START) for each in (strict, mended)]
    service = ServiceProcess(of_both[0], tmp_path / "first")
    try:
        service.await_ready()
        records = [(0, b"", START_MS)]
        for second in range(3):
            time_ms = START_MS + 1000 * (HISTORY + second)
            records.append((second, reading("pump-20", time_ms, 1.0, 1.0, 1.0, features=(*FEATURES, "stranger")), time_ms))
            records.append((second, reading("pump-21", time_ms, 1.0, 1.0, features=FEATURES) + b" " * 500, time_ms))
        produce_unkeyed(kafka.brokers, kafka.input_topic, records)
        until(lambda: len(topics.dead_letters()) == 6)
        until(lambda: service.metric("tombstones_total") == 1)
        service.stop()
        status = said(of_both[0], "status", "--json")["dead_letters"]
        planned = said(of_both[1], "dead-letters", "replay", "--json")
        done = said(of_both[1], "dead-letters", "replay", "--yes", "--json")
        again = said(of_both[1], "dead-letters", "replay", "--yes", "--json")
        service = ServiceProcess(of_both[1], tmp_path / "second")
        service.await_ready()
        until(lambda: service.metric("readings_total") >= 6)
        late = service.metric("late_readings_total")
        service.stop()
    finally:
        service.kill()

    between = f"{kafka.group_id}-{kafka.input_topic}-by-sensor"[-249:]
    assert (status["last_hour"], sorted(one["count"] for one in status["reasons"])) == (6, [3, 3])
    assert (planned["sent"], planned["of_another_topic"]) == (6, 0)
    assert done["by_topic"] == {kafka.input_topic: 3, between: 3}
    assert (again["sent"], again["sent_before"]) == (0, 6)
    assert Counter(one.key for one in read_all(kafka.brokers, between) if one.key in (b"pump-20", b"pump-21")) == {
        b"pump-20": 6,  # as rejected, and as sent back
        b"pump-21": 3,
    }
    assert late == 0
    assert len(topics.dead_letters()) == 6


def said(environ: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Return what a command prints as JSON. The exit code of `status` is not looked at."""
    command = [sys.executable, "-m", "stream_detector", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def live(records: Iterable[Record]) -> Counter[tuple[int, int]]:
    """Count the live readings, by sensor and second."""
    readings = [json.loads(record.value or b"") for record in records]
    found = Counter((int(one["sensor_id"][5:]), (one["timestamp"] - START_MS) // 1000) for one in readings)
    return Counter({key: count for key, count in found.items() if key[1] >= HISTORY})
