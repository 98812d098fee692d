"""SIGHUP to the service as a process, on a real Kafka and Valkey: the alarm budget changes, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stream_detector.settings.group import PREFIX
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_values
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
#: A fault is one reading that is far too hot, and a quiet spell of half a window closes its incident.
SLICE, FAULT_AT = 3 * WINDOW_LENGTH, 2 * WINDOW_LENGTH


@dataclass(slots=True)
class Plant:
    """A sensor, a service and the service's settings file."""

    topics: Topics
    service: ServiceProcess
    toml: Path
    produced: int = 0

    def settings(self, alerts: str, kafka: str = "") -> None:
        """Write the settings file."""
        self.toml.write_text(f"[alerts]\n{alerts}\n[kafka]\n{kafka}\n")

    def fault(self) -> dict[str, Any]:
        """Append good readings and an anomalous one; return the event that opens its incident."""
        opened = len(self.opened())
        values = tiny_values(self.produced + SLICE, 0)[self.produced :].tolist()
        values[FAULT_AT][0] += 40.0
        stamps = [START_MS + 1000 * (self.produced + second) for second in range(SLICE)]
        records = [
            ("pump-0", reading("pump-0", stamp, *row, features=FEATURES)) for stamp, row in zip(stamps, values, strict=True)
        ]
        self.topics.produce(0, records)
        self.produced += SLICE
        until(lambda: len(self.opened()) > opened)
        self.topics.await_all_committed()
        return self.opened()[-1]

    def opened(self) -> list[dict[str, Any]]:
        """Return the events that open incidents."""
        events = [json.loads(record.value) for record in self.topics.alerts()]
        return [event for event in events if event["status"] == "opened"]


@pytest.fixture
def plant(kafka_brokers: str, redis_url: str, tiny_model_directory: Path, unique_name: str, tmp_path: Path) -> Iterator[Plant]:
    topics = Topics(kafka_brokers, unique_name, 1)
    toml = tmp_path / "detector.toml"
    toml.write_text("[alerts]\nbudget_per_sensor_day = 0.25\n")
    environ = environment(topics.settings, redis_url, tiny_model_directory, **QUICK_START, RULES__SILENT_SECONDS=0)
    service = ServiceProcess(environ, tmp_path / "log", ["--config", str(toml)])
    try:
        yield Plant(topics, service, toml)
    finally:
        service.kill()
        topics.close()


def test_a_reload_changes_the_budget_of_the_next_event_and_a_broken_one_changes_nothing(plant: Plant) -> None:
    plant.service.await_ready()
    first = plant.fault()["rules"]

    plant.settings('budget_per_sensor_day = "plenty"')
    plant.service.reload()
    until(lambda: plant.service.metric('reloads_total{outcome="failed"}') == 1)
    after_broken = plant.fault()["rules"]

    plant.settings("budget_per_sensor_day = 3.5", kafka="max_poll_records = 100")
    plant.service.reload()
    until(lambda: plant.service.metric('reloads_total{outcome="ok"}') == 1)
    after_good = plant.fault()["rules"]

    assert after_broken == first
    assert (first["budget_per_sensor_day"], after_good["budget_per_sensor_day"]) == (0.25, 3.5)
    assert after_good["version"] != first["version"]
    # The page says the same, and that no partition was given up for it.
    assert plant.service.metric("alarm_budget_per_sensor_day") == 3.5
    assert plant.service.metric(f'rules{{version="{after_good["version"]}"}}') == 1
    assert plant.service.metric(f'rules{{version="{first["version"]}"}}') == 0
    assert plant.service.metric('restored_partitions_total{action="rebuild"}') == 1
    lines = [line["message"] for line in plant.service.lines()]
    wrong = f"{plant.toml} [alerts] budget_per_sensor_day: should be a valid number, unable to parse string as a number"
    assert f"reload failed, rules {first['version']} stay in force: {wrong}" in lines
    assert f"changed, but takes effect only after a restart: {PREFIX}KAFKA__MAX_POLL_RECORDS" in lines
    assert plant.service.stop() == 0
