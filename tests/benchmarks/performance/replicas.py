"""Runs services of one group as processes, and measures the CPU of them and of the servers."""

from __future__ import annotations

from pathlib import Path

import psutil

from stream_detector.settings.kafka_settings import KafkaSettings
from tests.benchmarks.performance.figures import Places
from tests.integration.service_process import ServiceProcess, environment
from tests.integration.topics import until

PATIENCE_SECONDS = 600.0


class Replicas:
    """The services of one group, and the sums of their counters."""

    def __init__(self, places: Places, kafka: KafkaSettings, model: Path, count: int, **settings: object) -> None:
        environ = environment(kafka, places.valkey.url, model, **settings)
        logs = [places.directory / f"{kafka.group_id}-{number}.log" for number in range(count)]
        self._services = [ServiceProcess(environ, log) for log in logs]
        self._processes = {
            "detector": [psutil.Process(service.process.pid) for service in self._services],
            "broker": [psutil.Process(places.kafka.process.pid)],
            "Valkey": [psutil.Process(places.valkey.process.pid)],
        }

    def await_ready(self) -> None:
        """Wait until all are ready and have partitions."""
        for service in self._services:
            service.await_ready()
        until(lambda: all(service.metric("assigned_partitions") for service in self._services), PATIENCE_SECONDS)

    def total(self, metric: str) -> float:
        """Return the sum of a counter."""
        return sum(service.metric(metric) for service in self._services)

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU used so far, by process."""
        return {name: sum(map(_cpu_seconds, several)) for name, several in self._processes.items()}

    def kill(self) -> None:
        """Kill the services."""
        for service in self._services:
            service.kill()


def _cpu_seconds(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))  # of user and system
