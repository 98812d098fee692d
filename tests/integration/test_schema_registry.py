"""The service and `train` on a real Kafka, with records in Avro and a real schema registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream_detector.cli import main
from stream_detector.ingest.schemas import Schema
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.settings.group import PREFIX
from tests.fixtures_model import FEATURES, tiny_values
from tests.ingest.registry_records import avro, framed
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.logging_state import logging_restored
from tests.servers.schema_registry import SchemaRegistry, register

START_MS = 1_767_300_000_000
VALUES = {"type": "record", "name": "Values", "fields": [{"name": name, "type": "double"} for name in FEATURES]}
FIELDS = [
    {"name": "sensor_id", "type": "string"},
    {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "values", "type": VALUES},
]
OLD = json.dumps({"type": "record", "name": "Reading", "fields": FIELDS})
NEW = json.dumps({"type": "record", "name": "Reading", "fields": [*FIELDS, {"name": "note", "type": "string", "default": ""}]})


@pytest.fixture
def topics(kafka_brokers: str, unique_name: str) -> Iterator[Topics]:
    with closing(Topics(kafka_brokers, unique_name, 1, start="earliest")) as made:
        yield made


def records(sensor: str, number: int, schema: str, seconds: range, hot_from: int = 10**9) -> list[tuple[str, bytes]]:
    """Return readings of a sensor, a second apart, hotter than its limit from a second on."""
    values = tiny_values(seconds.stop, 0).tolist()
    found = []
    for second in seconds:
        measured = dict(zip(FEATURES, values[second], strict=True))
        measured["temperature"] += 500.0 if second >= hot_from else 0.0
        datum = {"sensor_id": sensor, "timestamp": START_MS + 1000 * second, "values": measured, "note": ""}
        found.append((sensor, framed(number, avro(Schema("AVRO", schema), datum))))
    return found


def test_train_reads_avro_from_the_topic(
    topics: Topics, schema_registry_url: str, unique_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = register(schema_registry_url, unique_name, OLD)
    topics.produce(0, [*records("pump-0", number, OLD, range(200)), ("pump-0", framed(987_654_321, b"x"))])
    for name, value in (
        ("KAFKA__BROKERS", topics.settings.brokers),
        ("KAFKA__INPUT_TOPIC", topics.settings.input_topic),
        ("INPUT__PAYLOAD", "registry"),
        ("REGISTRY__URL", schema_registry_url),
    ):
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    with logging_restored():
        small = ("--window-length", "8", "--units", "4", "--steps", "3")
        assert main(["train", "--from-topic", "--output", str(tmp_path / "model"), *small]) == 0

    artifact = load_artifact(tmp_path / "model")
    assert set(artifact.spec.features) == set(FEATURES)
    assert artifact.report["data"]["readings"] == 200


def test_the_service_reads_avro_and_waits_for_a_registry_that_is_away(
    topics: Topics, own_schema_registry: SchemaRegistry, redis_url: str, tmp_path: Path
) -> None:
    registry = own_schema_registry
    old, new = register(registry.url, "readings", OLD), register(registry.url, "readings", NEW)
    topics.produce(0, records("pump-0", old, OLD, range(20)))
    environ = environment(
        topics.settings,
        redis_url,
        tmp_path / "model",
        **QUICK_START,
        RULES__LIMITS='{"temperature": [-1000, 400]}',
        RULES__SILENT_SECONDS=0,
        INPUT__PAYLOAD="registry",
        REGISTRY__URL=registry.url,
        REGISTRY__TIMEOUT_SECONDS=1,
    )
    service = ServiceProcess(environ, tmp_path / "log")
    try:
        service.await_ready()
        topics.await_all_committed()
        registry.process.pause()
        topics.produce(0, records("pump-0", new, NEW, range(20, 60), hot_from=30))
        until(lambda: "waiting for the schema registry" in service.get("/readyz")[1], 60.0)
        committed_meanwhile = topics.committed()
        registry.process.resume()
        topics.await_all_committed()
        events = [json.loads(record.value) for record in topics.alerts()]
        service.await_ready()
    finally:
        service.kill()

    assert committed_meanwhile == {0: 20}
    assert topics.dead_letters() == []
    assert [(event["sensor_id"], event["type"]) for event in events][:1] == [("pump-0", "out_of_range")]
    log = (tmp_path / "log").read_text()
    assert log.count("until the schema registry answers") == 1
    assert "the schema registry answers: reading continues" in log


def test_re_keying_waits_for_a_registry_that_is_away_and_loses_nothing(
    kafka_brokers: str, unique_name: str, own_schema_registry: SchemaRegistry, redis_url: str, tmp_path: Path
) -> None:
    """The readings of two sensors alternate between two partitions. Those of another schema come while nobody answers."""
    registry = own_schema_registry
    old, new = register(registry.url, "readings", OLD), register(registry.url, "readings", NEW)
    environ: dict[str, str] = {}

    with closing(Topics(kafka_brokers, unique_name, 2, start="earliest")) as topics:

        def produce(number: int, schema: str, seconds: range) -> None:
            for sensor in ("pump-0", "pump-1"):
                for second, record in zip(seconds, records(sensor, number, schema, seconds), strict=True):
                    topics.produce(second % 2, [record])

        produce(old, OLD, range(20))
        environ |= environment(
            topics.settings,
            redis_url,
            tmp_path / "model",
            **QUICK_START,
            LEARNING__ENABLED="false",
            INPUT__REPARTITION="true",
            INPUT__PAYLOAD="registry",
            REGISTRY__URL=registry.url,
            REGISTRY__TIMEOUT_SECONDS=1,
        )
        service = ServiceProcess(environ, tmp_path / "log")
        try:
            service.await_ready()
            until(lambda: service.metric("rekeyed_readings_total") == 40, 60.0)
            registry.process.pause()
            produce(new, NEW, range(20, 60))
            until(lambda: "re-keying waits" in (tmp_path / "log").read_text(), 60.0)
            held = service.metric("rekeyed_readings_total"), service.process.poll()
            registry.process.resume()
            until(lambda: service.metric("rekeyed_readings_total") == 120, 60.0)
            until(lambda: service.metric("readings_total") == 120, 60.0)
            service.await_ready()
        finally:
            service.kill()
        assert topics.dead_letters() == []

    assert held == (40, None)
    log = (tmp_path / "log").read_text()
    assert log.count("re-keying waits: the schema registry") == 1
    assert "re-keying goes on" in log
