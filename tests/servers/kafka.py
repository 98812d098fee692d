"""A real Apache Kafka for the tests, found in this order.

1. The one named by STREAM_DETECTOR_TEST_KAFKA=HOST:PORT.
2. Java 17 or later, and Maven to fetch the jars.
3. A running Docker engine.
With CI set, on Debian as root, Java and Maven are installed first. On anyone else's machine nothing is installed.

    python -m tests.servers.kafka --port 9092     # run one in the foreground until Ctrl-C
    python -m tests.servers.kafka --prepare       # only download what a start needs, or report what is missing
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Protocol

from tests.servers import kafka_docker, kafka_java
from tests.servers.processes import ServerMissingError, ServerStartError, free_port

EXISTING = "STREAM_DETECTOR_TEST_KAFKA"
PACKAGES = ("openjdk-17-jre-headless", "maven")
INSTALL_SECONDS = 900.0


class Kafka(Protocol):
    """A Kafka that tests may kill and restart."""

    brokers: str

    def start(self) -> None:
        """Start the broker with its existing data; return when it is ready for use."""

    def kill(self) -> None:
        """Kill the broker. Idempotent."""

    def stop(self) -> None:
        """Stop the broker and clean up. Idempotent."""


def prepare() -> ModuleType:
    """Download what a start needs; return the module that can start it. Raises ServerMissingError with reason and remedy."""
    reasons = [kafka_java.why_not(), kafka_docker.why_not()]
    if reasons[0] and may_install():
        _install()
        reasons[0] = kafka_java.why_not()
    if reasons[0] is None:
        kafka_java.fetch_jars()
        return kafka_java
    if reasons[1] is None:
        kafka_docker.pull()
        return kafka_docker
    msg = (
        f"no Kafka for the tests: {reasons[0]}, {reasons[1]}, and {EXISTING} is not set. "
        f"Install Java and Maven ({_install_command()}), start Docker, or set {EXISTING}=HOST:PORT."
    )
    raise ServerMissingError(msg)


def make_kafka(directory: Path, port: int | None = None, settings: Mapping[str, str] | None = None) -> Kafka:
    """Return a new Kafka, not yet started; `settings` change or add to those of all tests.

    Raises ServerMissingError or ServerStartError.
    """
    chosen_port = port or free_port()
    if prepare() is kafka_java:
        return kafka_java.JavaKafka(directory, chosen_port, settings)
    return kafka_docker.DockerKafka(chosen_port, settings)


@contextmanager
def running_kafka(directory: Path, port: int | None = None, settings: Mapping[str, str] | None = None) -> Iterator[Kafka]:
    """Run a new Kafka within a `with` block. Raises ServerMissingError or ServerStartError."""
    kafka = make_kafka(directory, port, settings)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@contextmanager
def kafka_for_tests(directory: Path) -> Iterator[str]:
    """Yield the brokers of the Kafka that the environment names, else of a new one that runs within the `with` block."""
    existing = os.environ.get(EXISTING)
    if existing:
        yield existing
        return
    with running_kafka(directory) as kafka:
        yield kafka.brokers


def may_install() -> bool:
    """Return whether tests may install what they need: on a CI machine only."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return bool(os.environ.get("CI")) and is_root and shutil.which("apt-get") is not None


def _install() -> None:
    """Install Java and Maven on a CI machine. Debian releases without Java 17 have a later version as default."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends"]
    attempts = ([*install, *PACKAGES], [*install, "default-jre-headless", "maven"])
    subprocess.run(["apt-get", "update", "-q"], env=environment, timeout=INSTALL_SECONDS, check=False, stdout=sys.stderr)
    for command in attempts:
        done = subprocess.run(command, env=environment, timeout=INSTALL_SECONDS, check=False, stdout=sys.stderr)
        if done.returncode == 0:
            return


def _install_command() -> str:
    if shutil.which("apt-get"):
        return f"sudo apt-get install {' '.join(PACKAGES)}"
    if shutil.which("brew"):
        return "brew install openjdk@17 maven"
    return "Java 17 or later and Maven, by your package manager"


def main() -> int:
    """Run a Kafka in the foreground until interrupted, or only prepare for one."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.kafka", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9092, help="port to listen on (default: %(default)s)")
    parser.add_argument("--prepare", action="store_true", help="only fetch what a start needs")
    options = parser.parse_args()
    try:
        if not options.prepare:
            _run_in_foreground(options.port)
        elif EXISTING not in os.environ:
            prepare()
    except (ServerMissingError, ServerStartError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run_in_foreground(port: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="stream-detector-kafka-") as directory,
        running_kafka(Path(directory), port) as kafka,
    ):
        print(f"Kafka runs at {kafka.brokers}, with its data in {directory} until it ends. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
