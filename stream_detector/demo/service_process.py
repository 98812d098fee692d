"""Runs the real commands as processes: `train` in the foreground, `run` as the service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stream_detector.demo.embedded_servers import Process, free_port, running
from stream_detector.demo.environment import DemoServers
from stream_detector.errors import StreamDetectorError
from stream_detector.settings.group import PREFIX

TRAINING_SECONDS = 900.0
READY_SECONDS = 240.0
STOP_SECONDS = 20.0
_REQUEST_SECONDS = 5.0
_COMMAND = (sys.executable, "-m", "stream_detector")


def train(history: Path, model: Path, budget: float, options: Sequence[str]) -> None:
    """Run `stream-detector train`, which shows its progress on this terminal. Blocks. Raises StreamDetectorError."""
    command = [*_COMMAND, "train", "--input", str(history), "--output", str(model), *options]
    environment = os.environ | {f"{PREFIX}ALERTS__BUDGET_PER_SENSOR_DAY": str(budget)}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=TRAINING_SECONDS, check=False, env=environment)
    except subprocess.TimeoutExpired:
        msg = f"training took more than {TRAINING_SECONDS:.0f} s; use a smaller --history-seconds"
        raise StreamDetectorError(msg) from None
    if done.returncode != 0:
        msg = f"training failed with code {done.returncode}; its message is above"
        raise StreamDetectorError(msg)


class RunningService:
    """The service process and its HTTP port."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def wait_until_ready(self) -> None:
        """Wait for /readyz. Raises StreamDetectorError if the service exits or is not ready in time."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._get("/readyz"):
            self.process.check()
            if time.monotonic() > deadline:
                msg = f"the service was not ready within {READY_SECONDS:.0f} s. The end of its log:\n{self.process.log_tail()}"
                raise StreamDetectorError(msg)
            time.sleep(0.2)

    def committed_records(self) -> int:
        """Return how many records the service has committed; raise StreamDetectorError if it has exited."""
        self.process.check()
        counted = re.search(rf"^{PREFIX.lower()}records_total (\S+)$", self._get("/metrics"), re.MULTILINE)
        return int(float(counted[1])) if counted else 0

    def _get(self, path: str) -> str:
        """Return a page, or "" if the service does not answer or answers with an error status."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=_REQUEST_SECONDS) as response:  # noqa: S310 - our own http
                return str(response.read().decode())
        except (OSError, urllib.error.HTTPError):
            return ""


@contextmanager
def running_service(servers: DemoServers, model: Path, budget: float, directory: Path) -> Iterator[RunningService]:
    """Run `stream-detector run`, configured by its environment and logging to a file; stop it gracefully at the end."""
    port = free_port()
    environment = servers.service_environment() | {
        f"{PREFIX}MODEL__DIRECTORY": str(model),
        f"{PREFIX}MODEL__TILE_ROWS": "48",  # enough for a few pumps, and loads in less than half the time
        f"{PREFIX}HTTP__HOST": "127.0.0.1",
        f"{PREFIX}HTTP__PORT": str(port),
        f"{PREFIX}ALERTS__BUDGET_PER_SENSOR_DAY": str(budget),
        f"{PREFIX}SERVICE__LOG_FORMAT": "text",
    }
    with running("stream-detector run", [*_COMMAND, "run"], directory / "service.log", environment) as process:
        yield RunningService(process, port)
        process.check()
        code = process.stop(STOP_SECONDS)
        if code != 0:
            msg = f"the service did not stop cleanly (code {code}). The end of its log:\n{process.log_tail()}"
            raise StreamDetectorError(msg)
