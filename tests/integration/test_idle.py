"""A model that learned while machines run, in `run` on a real Kafka and Valkey: who stands still does not alarm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stream_detector.model_store.model_directory import load_artifact, save_artifact
from stream_detector.model_store.serialization import with_version
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
CONDITION = "pressure > 1"
STOPS_AND_RUNS, STOPS_IN_A_FAULT = "pump-0", "pump-1"
READINGS, STOP, FAULT, RESTART = 150, 60, 50, 100


@pytest.fixture
def model(tiny_model_directory: Path, tmp_path: Path) -> Path:
    artifact = load_artifact(tiny_model_directory)
    spec = replace(artifact.spec, only_while=CONDITION)
    save_artifact(with_version(replace(artifact, spec=spec)), tmp_path / "model", b"")
    return tmp_path / "model"


def records() -> list[tuple[str, bytes]]:
    """Return the readings of two pumps, a second apart: both stop; one runs again, the other stopped because of a fault."""
    found = []
    for second in range(READINGS):
        for number, sensor in enumerate((STOPS_AND_RUNS, STOPS_IN_A_FAULT)):
            temperature, pressure = tiny_values(READINGS, number)[second].tolist()
            if sensor == STOPS_IN_A_FAULT and second >= FAULT:
                temperature += 60.0
            is_stopped = second >= STOP and not (sensor == STOPS_AND_RUNS and second >= RESTART)
            values = (20.0, 0.0) if is_stopped else (temperature, pressure)
            found.append((sensor, reading(sensor, START_MS + 1000 * second, *values, features=FEATURES)))
    return found


def run(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream_detector", *arguments]
    return subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=120, check=False)


def test_a_machine_that_stands_still_does_not_alarm_and_status_and_show_say_that_it_is_idle(
    kafka_brokers: str, redis_url: str, unique_name: str, model: Path, tmp_path: Path
) -> None:
    topics = Topics(kafka_brokers, unique_name, 1, start="earliest", request_timeout_seconds=5)
    environ = environment(topics.settings, redis_url, model, **QUICK_START) | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    service = ServiceProcess(environ, tmp_path / "log")
    try:
        service.await_ready()
        topics.produce(0, records())
        topics.await_all_committed(60.0)
        assert service.stop() == 0
        events = [json.loads(record.value) for record in topics.alerts()]
        status, shown = run(environ, "status", "--json"), run(environ, "show", STOPS_IN_A_FAULT)
    finally:
        service.kill()
        topics.close()

    assert {event["sensor_id"] for event in events} == {STOPS_IN_A_FAULT}
    at = [second_of(event) for event in events]
    assert min(at) >= FAULT
    assert max(at) == STOP
    opened = {event["incident_id"] for event in events if event["status"] == "opened"}
    closed = [event for event in events if event["status"] == "closed"]
    assert opened == {event["incident_id"] for event in closed}
    assert {(event["incident"]["reason"], event["sensor_state"]) for event in closed if second_of(event) == STOP} == {
        ("idle", "idle")
    }
    told = json.loads(status.stdout)["sensors"]
    assert told["states"]["idle"] == 1
    assert {one["sensor_id"]: one["state"] for one in told["sensors"]} == {
        STOPS_AND_RUNS: "ready",
        STOPS_IN_A_FAULT: "idle",
    }
    assert "idle" in shown.stdout
    assert f"no score: it is idle, for {CONDITION} does not hold" in " ".join(shown.stdout.split())


def second_of(event: dict[str, Any]) -> int:
    return int(event["window"]["last_offset"]) // 2
