"""A new user's first hour: a topic of another tool goes by `init` and `run` alone, without a model, to a true alert.

`make first-hour` tries all four topics and prints the time of each stage; every run of the tests tries one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer

from stream_detector.settings.group import PREFIX
from tests.integration.foreign_topics import FAULTY, FAULTY_FEATURE, MACHINES, Encode, Feed, avro, kepware, metrics, telegraf
from tests.integration.topics import until
from tests.servers.processes import free_port

#: How long to wait at most for the model, and for the alert: a first hour may take a quarter of one.
ALERT_SECONDS = 900.0
#: How long the model is watched on healthy readings before the fault: three readings of each machine.
HEALTHY_SECONDS = 30.0
ALL_TOPICS = "STREAM_DETECTOR_TEST_FIRST_HOUR"
#: The one with the most between topic and alert: re-keying, assembly, two processes.
IN_EVERY_RUN = "metrics"
STATELESS: dict[str, Encode] = {"metrics": metrics, "telegraf": telegraf, "kepware": kepware}


@dataclass(slots=True)
class Trial:
    """One user with one topic; the settings beside the file that `init` wrote keep the tests of a run apart."""

    brokers: str
    name: str
    directory: Path
    port: int = field(default_factory=free_port)
    started: float = field(default_factory=time.monotonic)

    def type(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command, whose output goes to a file named by it."""
        with self.output(arguments[0]).open("wb") as log:
            program = [sys.executable, "-m", "stream_detector", *arguments]
            return subprocess.Popen(program, cwd=self.directory, env=self._environ(), stdout=log, stderr=subprocess.STDOUT)

    def told(self, *arguments: str) -> dict[str, Any]:
        """Run a command that looks, and return what it told."""
        program = [sys.executable, "-m", "stream_detector", *arguments, "--json", "--config", "detector.toml"]
        done = subprocess.run(program, cwd=self.directory, env=self._environ(), capture_output=True, timeout=120, check=False)
        assert done.stdout, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _environ(self) -> dict[str, str]:
        own = {"HTTP__PORT": self.port, "KAFKA__ALERTS_TOPIC": f"{self.name}.alerts", "KAFKA__DEAD_LETTER_TOPIC": self._dead}
        others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return others | {PREFIX + name: str(value) for name, value in own.items()}

    def output(self, command: str) -> Path:
        """Return the file with what a command printed."""
        return self.directory / f"{command}.log"

    def has_model(self) -> bool:
        """Return whether a model was learned and has taken over from the rules."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as page:
                text = page.read().decode()
        except OSError:
            return False
        return all(
            f"\nstream_detector_{line}" in text for line in ('learning_attempts_total{outcome="promoted"} 1.0', "built_in 0.0")
        )

    def is_over(self, service: subprocess.Popen[bytes]) -> bool:
        """Return whether there is a model, or the service has ended."""
        return self.has_model() or service.poll() is not None

    def log(self) -> str:
        """Return what the service has printed."""
        return self.output("run").read_text()

    def events(self) -> list[dict[str, Any]]:
        """Return all committed events."""
        return [json.loads(value) for value in self._values(f"{self.name}.alerts")]

    def dead_letters(self) -> list[bytes]:
        """Return all dead letters."""
        return self._values(self._dead)

    def seconds(self) -> float:
        """Return the time since the start."""
        return time.monotonic() - self.started

    @property
    def _dead(self) -> str:
        return f"{self.name}.dead"

    def _values(self, topic: str) -> list[bytes]:
        reading = {"auto_offset_reset": "earliest", "isolation_level": "read_committed", "consumer_timeout_ms": 1000}
        with closing(KafkaConsumer(topic, bootstrap_servers=self.brokers, **reading)) as consumer:
            return [record.value for record in consumer]


def check_looks(trial: Trial) -> None:
    """Check that `status` sees each machine, and `show` one of them with its score."""
    sensors = trial.told("status")["sensors"]
    assert (sensors["total"], sensors["unreadable"]) == (len(MACHINES), 0)
    (faulty,) = [one["sensor_id"] for one in sensors["sensors"] if one["sensor_id"].endswith(FAULTY)]
    assert trial.told("show", faulty)["score"] is not None


@pytest.fixture
def trial(kafka_brokers: str, unique_name: str, tmp_path: Path) -> Trial:
    return Trial(kafka_brokers, unique_name, tmp_path)


@pytest.fixture
def feed(request: pytest.FixtureRequest, trial: Trial, shape: str) -> Iterator[Feed]:
    topic = f"{trial.name}.plant"
    registry = str(request.getfixturevalue("schema_registry_url")) if shape == "avro" else ""
    feed = Feed(trial.brokers, topic, avro(registry, topic) if registry else STATELESS[shape])
    yield feed
    feed.stop()


def shapes() -> list[Any]:
    """Return the topics; those that are left out of this run are skipped with the reason."""
    reason = f"about two minutes each: make first-hour, or {ALL_TOPICS}=1, tries this topic too"
    left_out = pytest.mark.skip(reason=reason)
    marks = {name: () if name == IN_EVERY_RUN or os.environ.get(ALL_TOPICS) else left_out for name in (*STATELESS, "avro")}
    return [pytest.param(name, marks=mark) for name, mark in marks.items()]


@pytest.mark.timeout(2 * ALERT_SECONDS)
@pytest.mark.parametrize("shape", shapes())
def test_init_and_run_alone_lead_from_a_foreign_topic_to_a_true_alert(
    trial: Trial, feed: Feed, shape: str, redis_url: str, request: pytest.FixtureRequest
) -> None:
    feed.start()
    trial.started = time.monotonic()

    known = ["--brokers", trial.brokers, "--redis-url", redis_url]
    if shape == "avro":
        known += ["--registry-url", str(request.getfixturevalue("schema_registry_url"))]
    assert trial.type("init", "--topic", feed.topic, *known).wait(120) == 0, trial.output("init").read_text()
    written = trial.seconds()
    service = trial.type("run", "--config", "detector.toml")
    try:
        until(lambda: trial.is_over(service), ALERT_SECONDS, trial.log)
        assert service.poll() is None, trial.log()
        learned = trial.seconds()
        time.sleep(HEALTHY_SECONDS)
        assert trial.events() == [], trial.log()
        check_looks(trial)
        broken = trial.seconds()
        feed.break_machine()
        until(lambda: bool(trial.events()), ALERT_SECONDS, trial.log)
        alerted = trial.seconds()
    finally:
        service.terminate()
        stopped = service.wait(60)

    first = trial.events()[0]
    print(
        f"\nfirst hour, {shape}: init after {written / 60:.2f} min, model after {learned / 60:.2f} min, "
        f"alert after {alerted / 60:.2f} min, {alerted - broken:.0f} s after the fault"
    )
    assert (first["type"], first["status"]) == ("anomaly", "opened")
    assert first["sensor_id"].endswith(FAULTY)
    assert first["features"][0]["name"] == FAULTY_FEATURE
    assert trial.dead_letters() == []
    assert stopped == 0
