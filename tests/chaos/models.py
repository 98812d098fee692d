"""A round with the real service: kills `stream-detector run`, with a trained model, at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.detection.detector import Detector
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.readings import Float32Array
from stream_detector.settings.schema import AlertSettings, ModelSettings, RuleSettings, StateSettings
from tests.chaos.checker import (
    Findings,
    Leniency,
    check_limits_moved,
    compare_alerts,
    compare_dead_letters,
    expected_by,
    longest_stall_seconds,
)
from tests.chaos.feed import Feed
from tests.chaos.round import SETTLE_SECONDS, Places, RoundResult
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.service_process import ServiceProcess, environment
from tests.integration.topics import Topics
from tests.pipeline.replica_config import SECOND_MS, START_MS, reading

PARTITIONS, SENSORS, REPLICAS = 4, 10, 2
UPDATE_SECONDS = 2.0
FAULT_EVERY, FAULT_SECONDS = 40, 3
#: How many readings of a sensor are made before they start over.
PERIOD = 4000
SESSION_SECONDS = 3.0


@cache
def series_of(partition: int, number: int) -> Float32Array:
    return tiny_values(PERIOD, partition * SENSORS + number)


def records_for_model(partition: int, second: int, sensors: int) -> list[tuple[str, bytes]]:
    """Return the records of a partition for one second; sometimes a sensor is far too hot, or sends an invalid record."""
    records = []
    for number in range(sensors):
        temperature, pressure = series_of(partition, number)[second % PERIOD].tolist()
        is_hot = (second + 7 * number) % FAULT_EVERY < FAULT_SECONDS
        name = f"pump-{partition * sensors + number}"  # the model knows pump-0 and pump-1
        value = reading(name, START_MS + second * SECOND_MS, temperature + 40.0 * is_hot, pressure, features=FEATURES)
        records.append((name, value))
    if second % 13 == 5:
        records.insert(2, ("somebody", b"not a reading"))
    return records


def make_detector(model: Path, rules: RuleSettings = RuleSettings()) -> Detector:  # noqa: B008 - frozen
    """Return a detector as the service builds it."""
    scorer = KerasScorer(model, ModelSettings().tile_rows)
    return build_detector(scorer, StateSettings(), AlertSettings(update_seconds=UPDATE_SECONDS), rules)


def model_kills(name: str, places: Places, chance: Random, count: int, model: Path) -> RoundResult:
    """Kill services with a trained model, while they start, restore and score."""
    began = time.monotonic()
    topics = Topics(places.brokers, name, PARTITIONS, start="earliest", session_timeout_seconds=SESSION_SECONDS)
    feed = Feed(topics.produce, SENSORS, PARTITIONS, 3.0, make_records=records_for_model)
    environ = environment(topics.settings, places.redis_url, model, ALERTS__UPDATE_SECONDS=UPDATE_SECONDS)
    services = [Killed(environ, places.logs / f"{name}-{number}", chance) for number in range(REPLICAS)]
    try:
        kill_while_fed(services, feed, count)
        topics.await_all_committed(SETTLE_SECONDS)
        topics.await_stable(SETTLE_SECONDS)
        crashes = tuple(text for service in services for text in service.stop())
        return _row(topics, model, sum(service.deaths for service in services), began, crashes)
    finally:
        feed.stop()
        for service in services:
            service.kill()
        topics.close()


def kill_while_fed(services: Sequence[Killed], feed: Feed, count: int) -> None:
    """Feed the services until they have died so many times together; then let them live on."""
    feed.start()
    while sum(service.deaths for service in services) < count:
        for service in services:
            service.turn()
        time.sleep(0.05)
    feed.stop()
    for service in services:
        service.live_on()


class Killed:
    """Keeps one service running: kills it some time after its start or after it is ready, and starts it again."""

    def __init__(
        self,
        environ: dict[str, str],
        log: Path,
        chance: Random,
        strike: Callable[[ServiceProcess], object] = ServiceProcess.kill,
    ) -> None:
        self._environ, self._log, self._chance, self._strike = environ, log, chance, strike
        self._service: ServiceProcess | None = None
        self._kill_at: float | None = None
        self._after_ready = 0.0
        self.deaths = 0

    def live(self) -> None:
        """Start the service unless it runs."""
        self._kill_at, self._after_ready = None, float("inf")
        if self._service is None or self._service.process.poll() is not None:
            self._service = ServiceProcess(self._environ, self._log.with_suffix(f".{self.deaths}.log"))

    def live_on(self) -> None:
        """Start the service and wait until it is ready: SIGTERM kills a process that is still starting."""
        self.live()
        assert self._service is not None
        self._service.await_ready()

    def turn(self) -> None:
        """Start, wait or kill, whichever is due."""
        now = time.monotonic()
        if self._service is None:
            self.live()
            is_early = self._chance.random() < 0.3
            self._kill_at = now + self._chance.uniform(3.0, 12.0) if is_early else None
            self._after_ready = self._chance.uniform(0.0, 4.0)
        elif self._kill_at is None and self._service.get("/readyz")[0] == 200:
            self._kill_at = now + self._after_ready
        elif self._kill_at is not None and now > self._kill_at:
            self._strike(self._service)
            self._service, self._kill_at = None, None
            self.deaths += 1

    def kill(self) -> None:
        """Kill the service."""
        if self._service is not None:
            self._service.kill()

    def stop(self) -> list[str]:
        """Stop the service gracefully; return what went wrong."""
        assert self._service is not None
        code = self._service.stop()
        return [f"exit code {code}: {self._service.log.read_text()[-2000:]}"] if code else []


def _row(topics: Topics, model: Path, count: int, began: float, crashes: Sequence[str]) -> RoundResult:
    findings = Findings()
    inputs, alerts = topics.input(), topics.alerts()
    compare_alerts(expected_by(inputs, lambda: make_detector(model)), alerts, Leniency(), findings)
    check_limits_moved(alerts, findings)
    compare_dead_letters(inputs, JsonDecoder(FEATURES, InputLimits()), topics.dead_letters(), findings)
    return RoundResult(
        fault="kill -9 of the service at any moment",
        plant="trained model",
        count=count,
        unit="kills",
        readings=len(inputs),
        events=len(alerts),
        findings=findings,
        longest_stall_seconds=longest_stall_seconds(inputs, alerts),
        read_again=0,
        seconds=time.monotonic() - began,
        crashes=tuple(crashes),
    )
