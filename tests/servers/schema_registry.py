"""A real schema registry: Apicurio Registry from its archive, run by Java 17 or later, with its data in memory.

It speaks the API of Confluent's registry, except for GUIDs. Maven downloads the archive once (142 MB) into build/.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import urllib3

from tests.servers import kafka, kafka_java
from tests.servers.processes import ServerMissingError, ServerProcess, free_port

POM = Path(__file__).with_name("registry_pom.xml")
FETCH_SECONDS = 900.0
START_SECONDS = 150.0


class SchemaRegistry:
    """One registry in its own process. `start` after `kill` keeps the port, but not the schemas."""

    def __init__(self, directory: Path, port: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        folder = fetch()
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        options = ["-Xmx384m", "-XX:+UseSerialGC", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
        classes = f"{next(folder.glob('*-runner.jar'))}:{folder}/lib/*"
        command = [kafka_java.java_command(), *options, "-cp", classes, "io.quarkus.runner.GeneratedMain"]
        self.process = ServerProcess("Apicurio Registry", command, directory / "registry.log")

    def start(self) -> None:
        """Start it; return when it answers."""
        self.process.start(self._answers, START_SECONDS)

    def kill(self) -> None:
        """Kill it. Idempotent."""
        self.process.kill()

    def _answers(self) -> bool:
        try:
            return urllib3.request("GET", f"{self.url}/subjects", timeout=5.0, retries=False).status == 200
        except (urllib3.exceptions.HTTPError, OSError):
            return False


def register(url: str, subject: str, schema: str, kind: str = "AVRO", references: Sequence[Mapping[str, object]] = ()) -> int:
    """Register a schema; return its number."""
    body = json.dumps({"schema": schema, "schemaType": kind, "references": list(references)})
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    answer = urllib3.request("POST", f"{url}/subjects/{subject}/versions", body=body, headers=headers, timeout=30.0)
    assert answer.status == 200, answer.data
    return int(answer.json()["id"])


def fetch() -> Path:
    """Return the folder of the registry, after downloading it if necessary. Safe if two test runs do this at once."""
    folder = kafka_java.PROJECT / "build" / "apicurio" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    if folder.is_dir() and kafka_java.java_version() is not None:
        return folder
    if kafka_java.java_version() is None or not shutil.which("mvn"):
        kafka.prepare()
    if kafka_java.java_version() is None or not shutil.which("mvn"):
        msg = "no schema registry for the tests: Java 17 or later and Maven are needed"
        raise ServerMissingError(msg)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    goal = ["dependency:unpack-dependencies", "-DexcludeTransitive=true", f"-DoutputDirectory={unfinished}"]
    try:
        kafka_java.run_to_end(["mvn", "-q", "-B", "-f", str(POM), *goal], "fetching Apicurio Registry by Maven", FETCH_SECONDS)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@contextmanager
def running_registry(directory: Path) -> Iterator[SchemaRegistry]:
    """Run a new registry within a `with` block. Raises ServerMissingError or ServerStartError."""
    registry = SchemaRegistry(directory, free_port())
    try:
        registry.start()
        yield registry
    finally:
        registry.kill()


@contextmanager
def registry_for_tests(directory: Path) -> Iterator[str]:
    """Yield the URL of a registry that runs within the `with` block."""
    with running_registry(directory) as registry:
        yield registry.url


def main() -> int:
    """Only fetch what a start needs, or say what is missing."""
    try:
        fetch()
    except ServerMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
