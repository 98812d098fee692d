"""Runs `stream-detector run` as its users do: as a process, configured by its environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.integration.topics import until

START_SECONDS = 120.0
#: The model is compiled for one size of tile instead of three. test_service.py runs with the default.
QUICK_START = {"MODEL__TILE_ROWS": 48}
STOP_SECONDS = 30.0


def environment(kafka: KafkaSettings, redis_url: str, model: Path, **settings: object) -> dict[str, str]:
    """Return the settings of a service as environment variables, without the settings of this machine."""
    mine = {f"KAFKA__{name.upper()}": value for name, value in kafka.model_dump(exclude_defaults=True).items()}
    mine |= {"REDIS__URL": redis_url, "MODEL__DIRECTORY": model, "HTTP__PORT": 0, "HTTP__HOST": "127.0.0.1", **settings}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | {PREFIX + name: str(value) for name, value in mine.items()}


class ServiceProcess:
    """One replica. Reads the port that it chose from its log."""

    def __init__(self, environ: Mapping[str, str], log: Path, options: Sequence[str] = ()) -> None:
        self.log = log
        self.output = log.with_name(f"{log.name}.stdout")
        command = [sys.executable, "-m", "stream_detector", "run", *options]
        with log.open("wb") as file, self.output.open("wb") as output:
            self.process = subprocess.Popen(command, env=dict(environ), stdout=output, stderr=file)

    def lines(self) -> list[dict[str, Any]]:
        """Return the complete lines of the log, each of which is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def port(self) -> int | None:
        """Return the port that the log names."""
        return next((line["port"] for line in self.lines() if "port" in line), None)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page; 0 while nobody listens."""
        port = self.port()
        if port is None:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """Return the value of a metric (with its labels, as shown); 0 if it is not there."""
        found = re.search(rf"^stream_detector_{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def await_metric(self, name: str, value: float) -> None:
        """Wait until a metric has a value: the service sets it a moment after what it counts is committed."""
        until(lambda: self.metric(name) == value, explain=lambda: f"{name}: {self.metric(name)}, not {value}")

    def await_ready(self) -> None:
        """Wait until the service scores the readings of all its partitions."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.get("/readyz")[0] == 200

        until(is_ready, START_SECONDS)

    def reload(self) -> None:
        """Make the service reload its settings, which it does after the current batch."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Stop the service as an orchestrator does; return its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Kill the service."""
        self.process.kill()
        self.process.wait(10)
