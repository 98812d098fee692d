"""Apache Kafka from its jars, run by Java 17 or later. Maven downloads the jars once (54 MB) into the project's build/."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.kafka_settings import answers, broker_settings
from tests.servers.processes import ServerMissingError, ServerProcess, ServerStartError, free_port

MINIMUM_JAVA = 17
START_SECONDS = 150.0
FETCH_SECONDS = 600.0
TOOL_SECONDS = 60.0
TOOLS = {"kafka-acls": "org.apache.kafka.tools.AclCommand", "kafka-configs": "kafka.admin.ConfigCommand"}
POM = Path(__file__).with_name("pom.xml")
PROJECT = Path(__file__).resolve().parents[2]


class JavaKafka:
    """A single Kafka node in its own process, with its data in `directory`. `start` after `kill` keeps port and data.

    `settings` change or add to those that all nodes have; `format_options` are for the tool that lays out the storage.
    A node of several has the `cluster_id` of all; one without is a cluster of its own.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        settings: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        *,
        cluster_id: str | None = None,
        heap_mb: int = 768,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.brokers = f"127.0.0.1:{port}"
        self._port = port
        self._directory = directory
        self._settings = broker_settings(port, free_port(), directory / "data") | dict(settings or {})
        self._properties = directory / "server.properties"
        self._jars = fetch_jars()
        command = [
            java_command(),
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-cp",
            f"{self._jars}/*",
            "kafka.Kafka",
            str(self._properties),
        ]
        self.process = ServerProcess("Kafka", command, directory / "kafka.log")
        self._format(format_options if cluster_id else ["--standalone", *format_options], cluster_id or random_id())

    def start(self) -> None:
        """Start the broker; return when it answers."""
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """Start the broker. It may have to wait for other nodes before it answers."""
        self.process.launch()

    def await_answer(self) -> None:
        """Return when it answers."""
        self.process.await_ready(lambda: answers(self._port), START_SECONDS)

    def kill(self) -> None:
        """Kill the broker. Idempotent."""
        self.process.kill()

    def stop(self) -> None:
        """Kill the broker: its data are temporary, so it needs no orderly shutdown. Idempotent."""
        self.process.kill()

    def _format(self, options: Sequence[str], cluster_id: str) -> None:
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(self._properties), *options]
        run_to_end(
            [java_command(), "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{self._jars}/*", *tool],
            "formatting Kafka's storage",
            60.0,
        )


def random_id() -> str:
    """Return a random ID in Kafka's form, for a cluster or a directory."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def run_tool(name: str, arguments: Sequence[str], directory: Path) -> None:
    """Run one of Kafka's command-line tools, such as kafka-acls, in a directory. Raises ServerStartError with its output."""
    command = [java_command(), "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{fetch_jars()}/*", TOOLS[name], *arguments]
    run_to_end(command, name, TOOL_SECONDS, directory)


def why_not() -> str | None:
    """Return why Kafka cannot run from its jars here; None if it can."""
    if java_version() is None:
        return f"no Java {MINIMUM_JAVA} or later"
    if not _jar_folder().is_dir() and not shutil.which("mvn"):
        return "no Maven to fetch Kafka's jars"
    return None


def java_version() -> int | None:
    """Return the major version of the Java that would run Kafka; None if there is none, or it is too old."""
    try:
        shown = subprocess.run([java_command(), "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', shown)
    version = int(found.group(1)) if found else 0
    return version if version >= MINIMUM_JAVA else None


def fetch_jars() -> Path:
    """Return the folder of Kafka's jars, after downloading them if necessary. Safe if two test runs do this at once."""
    folder = _jar_folder()
    if folder.is_dir():
        return folder
    if not shutil.which("mvn"):
        msg = "no Maven to fetch Kafka's jars"
        raise ServerMissingError(msg)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"]
    try:
        run_to_end(["mvn", "-q", "-B", "-f", str(POM), *goal], "fetching Kafka's jars by Maven", FETCH_SECONDS)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _jar_folder() -> Path:
    return PROJECT / "build" / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def java_command() -> str:
    """Return the Java to run: that of JAVA_HOME, or else the one in the path."""
    of_home = Path(os.environ.get("JAVA_HOME", ""), "bin", "java")
    return str(of_home) if of_home.is_absolute() and of_home.exists() else "java"


def run_to_end(command: list[str], what: str, timeout_seconds: float, directory: Path | None = None) -> None:
    """Run a command; raise ServerStartError with its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False, cwd=directory)
    if done.returncode != 0:
        msg = f"{what} failed:\n{(done.stdout + done.stderr)[-4000:]}"
        raise ServerStartError(msg)
