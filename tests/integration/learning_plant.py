"""A plant of two sensors for tests of `run` without a model, on a real Kafka and Valkey."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import QUICK_START, ServiceProcess
from tests.integration.topics import Topics
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
#: A training of few steps, with its judgement, on a busy machine.
TRAINING_SECONDS = 300.0
#: A tiny history resolves no budget of one false alarm in ten days.
QUICK = {
    **QUICK_START,
    "LEARNING__READINGS": 1_200,
    "LEARNING__STEPS": 3,
    "LEARNING__CORES": 1,
    "ALERTS__BUDGET_PER_SENSOR_DAY": 500,
    "RULES__SILENT_SECONDS": 0,
}


@dataclass(slots=True)
class Plant:
    """Two sensors, and the services that read them, one after the other."""

    topics: Topics
    environ: dict[str, str]
    directory: Path
    services: list[ServiceProcess] = field(default_factory=list)
    produced: int = 0

    @property
    def model(self) -> Path:
        return self.directory / "model"

    def start(self) -> ServiceProcess:
        service = ServiceProcess(self.environ, self.directory / f"log-{len(self.services)}")
        self.services.append(service)
        return service

    def produce(self, count: int, *, pressure_off: float = 0.0, standing: bool = False) -> None:
        """Append readings of both sensors; the pressure of the first is off by so much, or both stand, without any."""
        values = [[20.0, 0.0]] * count if standing else tiny_values(self.produced + count, 0)[self.produced :].tolist()
        self.topics.produce(
            0,
            [
                (sensor, reading(sensor, START_MS + 1000 * second, temperature, pressure + off, features=FEATURES))
                for second, (temperature, pressure) in enumerate(values, start=self.produced)
                for sensor, off in (("pump-0", pressure_off), ("pump-1", 0.0))
            ],
        )
        self.produced += count

    def events(self) -> list[dict[str, Any]]:
        self.topics.await_all_committed()
        return [json.loads(record.value) for record in self.topics.alerts()]


def readiness(service: ServiceProcess) -> dict[str, Any]:
    return dict(json.loads(service.get("/readyz")[1] or "{}"))


def told_by_status(plant: Plant) -> dict[str, Any]:
    command = [sys.executable, "-m", "stream_detector", "status", "--json"]
    done = subprocess.run(command, env=plant.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def messages(service: ServiceProcess) -> list[str]:
    return [line["message"] for line in service.lines()]


def trainings() -> list[int]:
    """Return the processes of trainings of this test's topics, by what their command line says."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"--part-of-run" in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def trainings_of(plant: Plant) -> list[int]:
    workplace = str(plant.directory).encode()
    return [pid for pid in trainings() if workplace in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
