"""What breaks most often is found, and what is well stays quiet: the whole product at its default settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from stream_detector.cli import main
from stream_detector.detection.events import Event, read_event
from stream_detector.simulation.file_writer import write_files
from stream_detector.simulation.series import Series
from tests.integration.broken_plant import (
    FLEET,
    HISTORY_ROWS,
    ROWS,
    false_incidents,
    found,
    incidents_of_shifts,
    partition_of,
    stream,
)
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.logging_state import logging_restored

PARTITIONS = 6
PATIENCE_SECONDS = 150.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two healthy hours, trained as a user would, but for fewer steps."""
    directory = tmp_path_factory.mktemp("plant")
    start_ms = _start_ms() - 1000 * HISTORY_ROWS
    write_files(Series(FLEET, start_ms, iter(())), HISTORY_ROWS, directory / "history.parquet", None)
    with logging_restored():
        arguments = ["--input", str(directory / "history.parquet"), "--output", str(directory / "model"), "--steps", "60"]
        assert main(["train", *arguments]) == 0
    return directory / "model"


@pytest.fixture(scope="module")
def events(kafka_brokers: str, redis_url: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Event]]:
    logs = tmp_path_factory.mktemp("logs")
    with closing(Topics(kafka_brokers, "broken-plant", PARTITIONS)) as topics:
        service = ServiceProcess(environment(topics.settings, redis_url, model, **QUICK_START), logs / "service")
        try:
            service.await_ready()
            _produce(topics)
            topics.await_all_committed(PATIENCE_SECONDS)
            seen = [read_event(record.value) for record in topics.alerts()]

            def are_all_found() -> bool:
                seen[:] = [read_event(record.value) for record in topics.alerts()]
                return found(seen, _start_ms())["falls silent"] == 3

            until(are_all_found, PATIENCE_SECONDS)  # a machine that is alone in its partition is missed by the clock only
            yield seen
        finally:
            service.stop()


def test_frozen_machines_are_found(events: list[Event]) -> None:
    assert found(events, _start_ms())["all values freeze"] == 4


def test_a_single_frozen_value_is_found_within_five_minutes(events: list[Event]) -> None:
    assert found(events, _start_ms())["temperature freezes"] == 4


def test_silent_machines_are_found(events: list[Event]) -> None:
    assert found(events, _start_ms())["falls silent"] == 3


def test_shifted_values_are_found(events: list[Event]) -> None:
    assert found(events, _start_ms())["a value shifts"] == 3


def test_one_shift_is_one_incident(events: list[Event]) -> None:
    assert set(incidents_of_shifts(events).values()) == {1}


def test_what_is_well_stays_quiet(events: list[Event]) -> None:
    assert len(false_incidents(events, _start_ms())) <= 1


_STARTED_MS = int(time.time() * 1000) // 1000 * 1000 - 1000 * ROWS


def _start_ms() -> int:
    """Return the event time of the stream's first reading: the stream ends when the test begins."""
    return _STARTED_MS


def _produce(topics: Topics) -> None:
    """Write the stream, each record with the time of its reading."""
    settings = topics.settings
    with closing(KafkaProducer(bootstrap_servers=settings.brokers, linger_ms=20)) as producer:
        for reading in stream(_start_ms()):
            key, partition = reading.sensor.encode(), partition_of(reading.sensor, PARTITIONS)
            producer.send(settings.input_topic, reading.value, key, partition=partition, timestamp_ms=reading.time_ms)
        producer.flush(timeout=PATIENCE_SECONDS)
