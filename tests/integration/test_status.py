"""`status` and `show` as a user runs them, beside a service on a real Kafka and Valkey: what they say is true."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_values
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, until
from tests.pipeline.replica_config import reading

START_MS = 1_767_300_000_000
READINGS, FAULT_FROM, QUIET_AFTER = 60, 50, 25
SECONDS = 120.0
READY, FAULTY, QUIET, NEW = "pump-0", "pump-1", "pump-quiet", "pump-new"
BAD = b"not json"

Done = subprocess.CompletedProcess[str]


def records() -> list[tuple[str, bytes]]:
    """Return the readings of four sensors, a second apart, in one partition, and one record that is none."""
    found = []
    for second in range(READINGS):
        for number, sensor in enumerate((READY, FAULTY, QUIET, NEW)):
            if (sensor == QUIET and second >= QUIET_AFTER) or (sensor == NEW and second < READINGS - 3):
                continue
            temperature, pressure = tiny_values(READINGS, number % 2)[second].tolist()
            heat = 60.0 if sensor == FAULTY and second >= FAULT_FROM else 0.0
            value = reading(sensor, START_MS + 1000 * second, temperature + heat, pressure, features=FEATURES)
            found.append((sensor, value))
    return [*found, *[(QUIET, json.dumps({"sensor_id": QUIET, "values": {}}).encode())] * 2, ("somebody", BAD)]


def run(environ: Mapping[str, str], *arguments: str) -> Done:
    command = [sys.executable, "-m", "stream_detector", *arguments]
    return subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=SECONDS, check=False)


@dataclass(slots=True)
class Story:
    """What the commands said before, while and after a service ran."""

    environ: dict[str, str]
    before: Done
    json: Done
    text: Done
    few: Done
    live: str
    live_seconds: float
    after: Done
    redis_away: Done
    kafka_away: Done
    no_model: Done
    show: dict[str, Done]
    show_text: Done
    show_strange: Done
    show_no_model: Done
    page: str
    log: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(
    kafka_brokers: str, redis_url: str, tiny_model_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    topics = Topics(kafka_brokers, f"status-{uuid.uuid4().hex[:8]}", 2, start="earliest", request_timeout_seconds=5)
    directory = tmp_path_factory.mktemp("status")
    rules = {"RULES__SILENT_SECONDS": 5, "RULES__UNITS": '{"temperature": "°C"}'}
    environ = environment(topics.settings, redis_url, tiny_model_directory, **QUICK_START, **rules)
    environ |= {"PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    with ExitStack() as stack:
        stack.callback(topics.close)
        topics.produce(1, records())
        before = run(environ, "status", "--json")
        service = ServiceProcess(environ, directory / "log")
        stack.callback(service.kill)
        service.await_ready()
        topics.await_all_committed()
        until(lambda: service.metric("store_lag") == 0 and service.metric("batches_total") > 0)
        told = run(environ, "status", "--json"), run(environ, "status", "--once"), run(environ, "status", "--limit", "1")
        live, live_seconds = watch_live(environ)
        service.stop()
        without_model = environ | {"STREAM_DETECTOR_MODEL__DIRECTORY": str(directory / "none")}
        closed = "redis://127.0.0.1:1/0"
        yield Story(
            environ,
            before,
            *told,
            live,
            live_seconds,
            after=run(environ, "status", "--json"),
            redis_away=run(environ | {"STREAM_DETECTOR_REDIS__URL": closed}, "status", "--json"),
            kafka_away=run(environ | {"STREAM_DETECTOR_KAFKA__BROKERS": "127.0.0.1:1"}, "status"),
            no_model=run(without_model, "status", "--json"),
            show={sensor: run(environ, "show", sensor, "--json") for sensor in (FAULTY, NEW)},
            show_text=run(without_model, "show", FAULTY),
            show_strange=run(environ, "show", "pmp-1"),
            show_no_model=run(without_model, "show", READY, "--json"),
            page=page_of(environ, directory / "page.html"),
            log=service.lines(),
        )


def page_of(environ: Mapping[str, str], path: Path) -> str:
    """Return the page of the faulty sensor."""
    done = run(environ, "show", FAULTY, "--html", str(path))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return path.read_text(encoding="utf-8")


@contextmanager
def interrupts_taken() -> Iterator[None]:
    """Let Ctrl-C interrupt what is started, also if these tests run in the background of a shell, which ignores it there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def watch_live(environ: Mapping[str, str]) -> tuple[str, float]:
    """Run `status` in a terminal until it names a sensor, then press Ctrl-C; return its output, and how long it took to end."""
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "stream_detector", "status", "--every", "0.5"]
    with interrupts_taken():
        process = subprocess.Popen(command, env=dict(environ), stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    output = b""
    try:
        deadline = time.monotonic() + SECONDS
        while READY.encode() not in output:
            assert time.monotonic() < deadline, output.decode("utf-8", "replace")
            if select.select([main], [], [], 0.2)[0]:
                output += os.read(main, 65_536)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            assert time.monotonic() < began + SECONDS, output.decode("utf-8", "replace")[-2_000:]
            if select.select([main], [], [], 0.05)[0]:
                try:
                    output += os.read(main, 65_536)
                except OSError:  # the other side is closed
                    break
        assert process.wait(SECONDS) == 130
    finally:
        process.kill()
        process.wait()
    os.close(main)
    return output.decode("utf-8", "replace"), time.monotonic() - began


def codes(done: Done) -> list[str]:
    return [one["code"] for one in json.loads(done.stdout)["problems"]]


def sensors(done: Done) -> dict[str, Any]:
    return {one["sensor_id"]: one for one in json.loads(done.stdout)["sensors"]["sensors"]}


def test_before_the_first_start_it_says_that_no_detector_runs_and_that_nothing_is_stored(story: Story) -> None:
    assert story.before.returncode == 4, story.before.stderr
    assert codes(story.before) == ["no_detector", "no_state"]


def test_it_tells_which_sensor_is_ready_filling_silent_and_in_an_incident(story: Story) -> None:
    found = sensors(story.json)

    assert {name: one["state"] for name, one in found.items()} == {
        READY: "ready",
        FAULTY: "in_incident",
        QUIET: "silent",
        NEW: "filling",
    }
    assert list(found) == [FAULTY, QUIET, NEW, READY]
    assert found[NEW]["window"] == {"readings": 3, "length": WINDOW_LENGTH}
    assert (found[NEW]["known"], found[READY]["known"]) == (False, True)
    assert found[QUIET]["last_reading"] == "2026-01-01T20:40:24.000Z"


def test_of_a_silent_sensor_whose_records_are_dead_letters_it_says_so(story: Story) -> None:
    found = sensors(story.json)

    assert (found[QUIET]["dead_letters"]["count"], found[QUIET]["dead_letters"]["reason"]) == (2, "values_missing")
    assert found[READY]["dead_letters"] is None
    assert "but it sends: 2 records became dead letters since" in " ".join(story.text.stdout.split())
    said = [line["message"] for line in story.log if "it sends" in line["message"]]
    assert len(said) == 1
    assert said[0].startswith("'pump-quiet' is announced as silent, but it sends: in the last ")
    assert "2 of its records became dead letters, the last with reason values_missing" in said[0]


def test_it_tells_of_the_detector_the_alarms_and_the_dead_letters(story: Story) -> None:
    told = json.loads(story.json.stdout)

    assert story.json.returncode == 0, story.json.stdout
    assert told["problems"] == []
    assert (told["detector"]["members"], told["detector"]["lag"]) == (1, 0)
    assert [one["committed"] == one["end"] for one in told["detector"]["partitions"] if one["end"]] == [True]
    assert told["alarms"]["of_the_score_in_24_hours"] >= 1
    assert told["alarms"]["allowed_in_24_hours"] == pytest.approx(0.4)
    assert told["dead_letters"]["last_hour"] == 3
    assert [(one["count"], one["newest"]["reason"]) for one in told["dead_letters"]["reasons"]] == [
        (2, "values_missing"),
        (1, "not_json"),
    ]
    assert told["dead_letters"]["newest"][0]["reason"] == "not_json"
    incidents = {(one["sensor_id"], one["type"]): one for one in told["open_incidents"]}
    assert {(FAULTY, "anomaly"), (QUIET, "silent")} <= set(incidents)
    assert "temperature" in incidents[FAULTY, "anomaly"]["about"]


def test_the_text_fits_80_columns_and_names_what_needs_attention_first(story: Story) -> None:
    lines = story.text.stdout.splitlines()

    assert story.text.returncode == 0
    assert max(map(len, lines)) <= 80
    text = story.text.stdout
    assert "filling 3 of 8, unknown" in text
    assert text.index(FAULTY) < text.index(QUIET) < text.index(NEW) < text.index(READY)
    assert "... and 3 more; --limit N shows more" in " ".join(story.few.stdout.split())


def test_the_live_screen_ends_at_once_on_ctrl_c(story: Story) -> None:
    assert READY in story.live
    assert "Traceback" not in story.live


def test_a_service_that_has_stopped_is_said_with_what_is_known(story: Story) -> None:
    assert story.after.returncode == 4
    assert codes(story.after) == ["no_detector"]
    assert len(sensors(story.after)) == 4


def test_when_redis_is_away_the_rest_is_shown(story: Story) -> None:
    told = json.loads(story.redis_away.stdout)

    assert story.redis_away.returncode == 4
    assert "redis" in codes(story.redis_away)
    assert (told["sensors"], told["dead_letters"]["last_hour"]) == (None, 3)


def test_when_kafka_is_away_the_sensors_are_shown(story: Story) -> None:
    assert story.kafka_away.returncode == 4
    assert "Kafka cannot be read: no Kafka broker at 127.0.0.1:1" in " ".join(story.kafka_away.stdout.split())
    assert READY in story.kafka_away.stdout
    assert story.kafka_away.stderr == ""


def test_without_a_model_the_sensors_are_shown_as_far_as_they_can_be_judged(story: Story) -> None:
    told = json.loads(story.no_model.stdout)

    assert told["model"] is None
    assert sensors(story.no_model)[NEW]["state"] == "filling"
    assert codes(story.no_model) == ["no_detector"]  # and no model is no error


def test_show_tells_the_values_the_expected_values_and_what_is_blamed(story: Story) -> None:
    told = json.loads(story.show[FAULTY].stdout)
    first = told["features"][0]
    heated = [tiny_values(READINGS, 1)[second, 0] + 60.0 for second in range(READINGS - WINDOW_LENGTH, READINGS)]

    assert (told["state"], told["is_anomalous"], first["name"], first["unit"]) == ("in_incident", True, "temperature", "°C")
    assert first["values"] == pytest.approx(heated, rel=1e-5)
    assert first["values"][-1] - first["expected"][-1] > 10.0
    assert first["marked"]
    assert told["times"][-1] == "2026-01-01T20:40:59.000Z"
    assert "temperature" in told["incidents"][0]["about"]


def test_show_says_why_a_filling_window_has_no_score(story: Story) -> None:
    told = json.loads(story.show[NEW].stdout)

    assert (told["score"], told["not_scored"]) == (None, "its window is filling, 3 of 8 readings")
    assert len(told["features"][0]["values"]) == 3


def test_show_draws_in_80_columns(story: Story) -> None:
    lines = story.show_text.stdout.splitlines()

    assert story.show_text.returncode == 0
    assert max(map(len, lines)) <= 80
    assert "temperature [°C]" in lines


def test_a_sensor_that_does_not_exist_brings_the_nearest_names(story: Story) -> None:
    assert story.show_strange.returncode == 1
    assert "there is no sensor pmp-1 among the 4 stored ones; did you mean pump-1" in story.show_strange.stderr
    assert "Traceback" not in story.show_strange.stderr


def test_without_a_model_show_has_the_values_only(story: Story) -> None:
    told = json.loads(story.show_no_model.stdout)

    assert told["score"] is None
    assert "there is no model in" in told["not_scored"]
    assert [len(one["values"]) for one in told["features"]] == [WINDOW_LENGTH] * 2


def test_the_page_has_a_chart_of_each_feature(story: Story) -> None:
    assert story.page.count("<svg") == len(FEATURES)
    assert 'class="expected"' in story.page
    assert '<section class="marked"><h2>temperature [°C]</h2>' in story.page
