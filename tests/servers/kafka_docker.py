"""Apache Kafka from its image, on a machine with a running Docker engine."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import PurePosixPath

from tests.servers.kafka_settings import answers, broker_settings
from tests.servers.processes import LOG_TAIL_LINES, ServerStartError, free_port

IMAGE = "apache/kafka:4.3.1"
START_SECONDS = 120.0
PULL_SECONDS = 600.0


class DockerKafka:
    """A single Kafka node in a container. `start` after `kill` keeps port and data."""

    def __init__(self, port: int, settings: Mapping[str, str] | None = None) -> None:
        self.brokers = f"127.0.0.1:{port}"
        self._port = port
        controller_port = free_port()
        own = broker_settings(port, controller_port, PurePosixPath("/tmp/kafka-data"), host="0.0.0.0")
        # The image formats its storage for a fixed quorum.
        del own["controller.quorum.bootstrap.servers"]
        own |= {"controller.quorum.voters": f"1@127.0.0.1:{controller_port}", **(settings or {})}
        environment = [f"--env=KAFKA_{name.upper().replace('.', '_')}={value}" for name, value in own.items()]
        publish = f"--publish=127.0.0.1:{port}:{port}"
        self._container = _docker("create", publish, *environment, IMAGE).splitlines()[-1]

    def start(self) -> None:
        """Start the broker; return when it accepts connections."""
        _docker("start", self._container)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if answers(self._port):
                return
            time.sleep(0.2)
        log = _docker("logs", f"--tail={LOG_TAIL_LINES}", self._container)
        self.stop()
        msg = f"Kafka in Docker is not ready after {START_SECONDS:g} s; the end of its log:\n{log}"
        raise ServerStartError(msg)

    def kill(self) -> None:
        """Kill the broker. Idempotent."""
        subprocess.run(["docker", "kill", self._container], capture_output=True, timeout=60, check=False)

    def stop(self) -> None:
        """Stop the broker and remove its container. Idempotent."""
        remove = ["docker", "rm", "--force", "--volumes", self._container]
        subprocess.run(remove, capture_output=True, timeout=60, check=False)


def pull() -> None:
    """Pull the image, unless the engine has it."""
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, timeout=60, check=False).returncode != 0:
        _docker("pull", "--quiet", IMAGE, timeout_seconds=PULL_SECONDS)


def why_not() -> str | None:
    """Return why Kafka cannot run in Docker here; None if it can."""
    if not shutil.which("docker"):
        return "no Docker"
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    return None if done.returncode == 0 else "no running Docker engine"


def _docker(*arguments: str, timeout_seconds: float = 60.0) -> str:
    command = ["docker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False)
    if done.returncode != 0:
        msg = f"{' '.join(command[:2])} failed: {done.stderr.strip()}"
        raise ServerStartError(msg)
    return (done.stdout + done.stderr).strip()
