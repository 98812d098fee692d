"""The service as a process without a model, on a real Kafka and Valkey: the rules watch, and go on when a model arrives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stream_detector.built_in.model import built_in_model
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import QUICK_START, START_SECONDS, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
VERSION = built_in_model().version


@dataclass(slots=True)
class Plant:
    """Two sensors, and the services that read them, one after the other."""

    topics: Topics
    environ: dict[str, str]
    directory: Path
    services: list[ServiceProcess]
    produced: int = 0

    def start(self) -> ServiceProcess:
        """Start the service, and wait until it is ready."""
        service = ServiceProcess(self.environ, self.directory / f"log-{len(self.services)}")
        self.services.append(service)
        return service

    def produce(self, count: int, hot: float = 0.0) -> None:
        """Append readings of both sensors, the first of which is hotter by so much."""
        values = tiny_values(self.produced + count, 0)[self.produced :].tolist()
        records = []
        for second, (temperature, pressure) in enumerate(values, start=self.produced):
            for sensor, more in (("pump-0", hot), ("pump-1", 0.0)):
                stamp = START_MS + 1000 * second
                records.append((sensor, reading(sensor, stamp, temperature + more, pressure, features=FEATURES)))
        self.topics.produce(0, records)
        self.produced += count

    def show(self, sensor: str) -> str:
        """Return what `show` says of a sensor, as JSON."""
        command = [sys.executable, "-m", "stream_detector", "show", sensor, "--json"]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=120, check=True).stdout

    def events(self) -> list[dict[str, Any]]:
        """Return the published events, when everything that was produced is committed."""
        self.topics.await_all_committed()
        return [json.loads(record.value) for record in self.topics.alerts()]


@pytest.fixture
def plant(kafka_brokers: str, redis_url: str, unique_name: str, tmp_path: Path) -> Iterator[Plant]:
    topics = Topics(kafka_brokers, unique_name, 1, start="earliest")
    limits = {"RULES__LIMITS": '{"temperature": [0, 90]}', "RULES__SILENT_SECONDS": 0, "RULES__QUIET_READINGS": 4}
    environ = environment(topics.settings, redis_url, tmp_path / "model", **QUICK_START, **limits)
    plant = Plant(topics, environ, tmp_path, [])
    try:
        yield plant
    finally:
        for service in plant.services:
            service.kill()
        topics.close()


def test_the_rules_watch_survive_a_kill_and_go_on_with_a_model(plant: Plant, tiny_model_directory: Path) -> None:
    first = plant.start()
    until(lambda: "Waiting for the first readings" in first.get("/readyz")[1])
    assert first.get("/readyz")[0] == 503

    plant.produce(40)
    first.await_ready()
    plant.produce(20, hot=50.0)
    (opened,) = plant.events()
    status = json.loads(first.get("/readyz")[1])
    gauges = first.metric("rules_only"), first.metric("built_in"), first.metric(f'model{{name="built-in",version="{VERSION}"}}')
    first.kill()
    second = plant.start()
    second.await_ready()
    plant.produce(20, hot=50.0)
    after_kill = plant.events()
    shutil.copytree(tiny_model_directory, plant.directory / "model")
    second.reload()
    until(lambda: json.loads(second.get("/readyz")[1]) == {"status": "ready"}, START_SECONDS)
    plant.produce(40)
    until(lambda: any(event["status"] == "closed" for event in plant.events()))  # may be seen after the group's position
    (_, *later) = plant.events()

    assert (opened["type"], opened["status"], opened["sensor_id"]) == ("out_of_range", "opened", "pump-0")
    assert opened["model"] == {"name": "built-in", "version": VERSION}
    assert "the built-in model and the rules watch" in status["restriction"]
    assert "stream-detector train" in status["restriction"]
    assert gauges == (0, 1, 1)
    assert after_kill == [opened]
    assert second.metric('restored_partitions_total{action="replay"}') + second.metric(
        'restored_partitions_total{action="resume"}'
    )
    closed = next(event for event in later if event["type"] == "out_of_range")
    assert (closed["status"], closed["reason"] if "reason" in closed else closed["incident"]["reason"]) == ("closed", "quiet")
    assert closed["incident_id"] == opened["incident_id"]
    assert closed["model"]["name"] == "tiny"
    assert second.metric("scored_windows_total") > 0
    assert json.loads(second.get("/readyz")[1]) == {"status": "ready"}
    assert second.stop() == 0


def test_the_built_in_model_finds_a_fault_once_though_the_service_is_killed_in_it(plant: Plant) -> None:
    plant.environ["STREAM_DETECTOR_RULES__LIMITS"] = "{}"
    first = plant.start()
    plant.produce(400)
    first.await_ready()
    plant.produce(6, hot=100.0)
    (opened,) = plant.events()
    until(lambda: first.metric("store_lag") == 0)
    shown = json.loads(plant.show("pump-0"))
    first.kill()
    second = plant.start()
    second.await_ready()
    plant.produce(300)
    until(lambda: any(event["status"] == "closed" for event in plant.events()))
    found = [event for event in plant.events() if event["status"] != "updated"]

    assert (opened["type"], opened["status"], opened["sensor_id"]) == ("anomaly", "opened", "pump-0")
    assert opened["model"] == {"name": "built-in", "version": VERSION}
    assert opened["features"][0]["name"] == "temperature"
    assert (shown["state"], shown["is_anomalous"], shown["features"][0]["name"]) == ("in_incident", True, "temperature")
    assert shown["features"][0]["values"][-1] - shown["features"][0]["expected"][-1] > 20.0
    assert any("the score is of the built-in model" in note for note in shown["notes"])
    assert [(one["status"], one["incident_id"]) for one in found] == [
        ("opened", opened["incident_id"]),
        ("closed", opened["incident_id"]),
    ]
    assert second.stop() == 0


def test_a_service_whose_model_is_gone_keeps_its_windows_and_goes_on_with_them_when_it_is_back(
    plant: Plant, tiny_model_directory: Path
) -> None:
    shutil.copytree(tiny_model_directory, plant.directory / "model")
    with_model = plant.start()
    with_model.await_ready()
    plant.produce(40)
    plant.events()
    assert with_model.stop() == 0
    shutil.rmtree(plant.directory / "model")
    without = plant.start()
    without.await_ready()
    plant.produce(8)
    plant.events()
    scored = without.metric("scored_windows_total")

    (plant.directory / "model").mkdir()
    (plant.directory / "model" / "manifest.json").write_text("{}")
    without.reload()
    until(lambda: without.metric('reloads_total{outcome="failed"}') == 1)
    still_alone = without.metric("rules_only")
    shutil.rmtree(plant.directory / "model")
    shutil.copytree(tiny_model_directory, plant.directory / "model")
    without.reload()
    until(lambda: without.metric("rules_only") == 0 and without.get("/readyz")[0] == 200, START_SECONDS)
    plant.produce(1)
    plant.events()

    assert scored == 0
    assert still_alone == 1
    assert any("is damaged or not of a model" in line["message"] for line in without.lines())
    # The windows are those that were stored: the first reading after the model came back is scored.
    without.await_metric("scored_windows_total", 2)
    assert without.metric('restored_partitions_total{action="rebuild"}') == 0
    assert without.stop() == 0


def test_features_that_sensors_begin_to_send_are_taken_up(plant: Plant) -> None:
    service = plant.start()
    plant.produce(20)
    service.await_ready()
    plant.events()

    records = [
        ("motor-0", reading("motor-0", START_MS + 1000 * second, 20.0 + second % 3, 99.0, features=("speed", "temperature")))
        for second in range(10)
    ]
    plant.topics.produce(0, records)
    plant.topics.await_all_committed()
    until(lambda: any("taking up new features: speed" in line["message"] for line in service.lines()))
    until(lambda: service.get("/readyz")[0] == 200)
    plant.produce(1)

    assert {(event["type"], event["sensor_id"]) for event in plant.events()} == {("out_of_range", "motor-0")}
    service.await_metric('restored_partitions_total{action="rebuild"}', 2)
    assert not plant.topics.dead_letters()
    assert service.stop() == 0
