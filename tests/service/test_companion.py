"""The process beside the service: its reports become metrics, and its end ends the service with the reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from stream_detector.errors import StreamDetectorError
from stream_detector.service.companion import Companion
from stream_detector.service.metrics import Metrics
from tests.fakes.clock import Clock
from tests.integration.topics import until

NEWS = {
    "records": 5,
    "readings": 4,
    "tombstones": 6,
    "dead_letters": {"not_json": 1},
    "excluded": {"reading": 2},
    "lost_records": 0,
    "lag": 7,
    "partitions": 3,
    "is_member": True,
    "rate": 1.5,
}
FOREVER = "import time; time.sleep(600)"
Start = Callable[[str], Companion]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def start(clock: Clock, metrics: Metrics) -> Iterator[Start]:
    started: list[Companion] = []

    def begin(script: str) -> Companion:
        started.append(Companion([sys.executable, "-c", script], "plant", metrics, clock, limit_seconds=60.0))
        return started[-1]

    yield begin
    for companion in started:
        companion.stop()


def ended(companion: Companion) -> str:
    """Wait for the error that says how the process ended; return its text."""
    found: list[str] = []

    def has_ended() -> bool:
        try:
            companion.check()
        except StreamDetectorError as error:
            found.append(str(error))
        return bool(found)

    until(has_ended)
    return found[0]


def test_reports_become_metrics_and_show_that_it_is_ready(start: Start, metrics: Metrics) -> None:
    companion = start(f"print({json.dumps(json.dumps(NEWS))}, flush=True); print('noise', flush=True); {FOREVER}")

    until(lambda: companion.is_ready)
    companion.check()

    page = metrics.exposition().decode()
    assert companion.lag == 7
    assert "stream_detector_rekeyed_readings_total 4.0" in page
    assert 'stream_detector_dead_letters_total{reason="not_json"} 1.0' in page
    assert "stream_detector_tombstones_total 6.0" in page
    assert 'stream_detector_excluded_total{what="reading"} 2.0' in page
    assert "stream_detector_rekey_lag 7.0" in page


def test_a_process_that_fails_ends_the_service_and_names_its_code(start: Start) -> None:
    assert "re-keys topic plant ended with code 3" in ended(start("raise SystemExit(3)"))


def test_a_process_that_is_killed_ends_the_service_and_names_the_signal(start: Start) -> None:
    assert "was ended by signal 9" in ended(start("import os; os.kill(os.getpid(), 9)"))


def test_a_process_that_ended_in_order_may_have_been_stopped_together_with_the_service(start: Start, clock: Clock) -> None:
    companion = start("pass")
    companion._process.wait(60)

    companion.check()
    clock.advance(6.0)

    with pytest.raises(StreamDetectorError, match="ended with code 0"):
        companion.check()


def test_a_process_that_reports_nothing_for_too_long_ends_the_service(start: Start, clock: Clock) -> None:
    companion = start(FOREVER)
    companion.check()
    clock.advance(61.0)

    with pytest.raises(StreamDetectorError, match="has reported nothing for 61 s"):
        companion.check()
