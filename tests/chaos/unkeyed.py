"""A round with an unkeyed topic: kills `stream-detector run`, or the process in it that re-keys, at any moment."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psutil

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.readings import Rejected
from stream_detector.rekey.rewriter import ORIGIN_HEADER
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RuleSettings
from tests.chaos.checker import (
    Findings,
    Leniency,
    check_limits_moved,
    compare_alerts,
    compare_dead_letters,
    expected_by,
    longest_stall_seconds,
)
from tests.chaos.feed import Feed, MakeRecords, Produce
from tests.chaos.models import SESSION_SECONDS, UPDATE_SECONDS, Killed, kill_while_fed, make_detector, records_for_model
from tests.chaos.round import SETTLE_SECONDS, Places, RoundResult
from tests.fixtures_model import FEATURES
from tests.integration.service_process import QUICK_START, STOP_SECONDS, ServiceProcess, environment
from tests.integration.topics import Topics, headers, until
from tests.integration.unkeyed import produce_unkeyed, read_all, rekeyer_of

PARTITIONS, SENSORS, REPLICAS = 3, 10, 2
#: A sensor's readings are spread, so how long one is not heard of depends on when they are re-keyed.
NO_SILENCE = RuleSettings(silent_seconds=0)


@dataclass(frozen=True, slots=True)
class Plant:
    """What an unkeyed topic holds, and what becomes of it."""

    fault: str
    sensors: int
    make_records: MakeRecords
    last_records: MakeRecords | None  # the feed ends with these
    settings: Mapping[str, object]
    spread: Callable[[Topics], Produce]
    compare: Callable[[Topics, list[Any], Path, Findings], None]  # with the records of the topic between, and the model
    model: Path


def rekeying_kills(name: str, places: Places, chance: Random, count: int, model: Path) -> RoundResult:
    """Kill services and their re-keying processes while they start, re-key, restore and score."""
    plant = Plant(
        fault="kill -9 of the service or of its re-keying, unkeyed input",
        sensors=SENSORS,
        make_records=records_for_model,
        last_records=None,
        settings={"RULES__SILENT_SECONDS": 0},
        spread=lambda topics: Spread(topics.settings).produce,
        compare=compare_all,
        model=model,
    )
    return kill_rekeying(plant, name, places, chance, count)


def kill_rekeying(plant: Plant, name: str, places: Places, chance: Random, count: int) -> RoundResult:
    """Kill services and their re-keying processes on a plant's topic."""
    began = time.monotonic()
    topics = Topics(places.brokers, name, PARTITIONS, start="earliest", session_timeout_seconds=SESSION_SECONDS)
    feed = Feed(plant.spread(topics), plant.sensors, PARTITIONS, 3.0, make_records=plant.make_records)
    changes: dict[str, object] = {"INPUT__REPARTITION": "true", **plant.settings, **QUICK_START}
    environ = environment(topics.settings, places.redis_url, plant.model, ALERTS__UPDATE_SECONDS=UPDATE_SECONDS, **changes)
    strike = Strike(chance)
    services = [Killed(environ, places.logs / f"{name}-{number}", chance, strike) for number in range(REPLICAS)]
    try:
        kill_while_fed(services, feed, count)
        _end_with(feed, plant.last_records)
        between = between_of(topics.settings)
        _await_all(topics, between)
        topics.await_stable(SETTLE_SECONDS)
        crashes = tuple(text for service in services for text in service.stop())
        deaths = sum(service.deaths for service in services)
        return _row(plant, topics, between, began, (deaths, crashes, strike.rekeyers))
    finally:
        feed.stop()
        for service in services:
            service.kill()
        topics.close()


def _end_with(feed: Feed, make_records: MakeRecords | None) -> None:
    if make_records is not None:
        feed.make_records = make_records
        for _ in range(3):
            feed.advance()


class Spread:
    """Appends records without a key, each to another partition than the one before."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._count = settings, 0

    def produce(self, _: int, records: list[tuple[str, bytes]]) -> None:
        """Append records to partitions that have nothing to do with their sensors."""
        now_ms = time.time_ns() // 1_000_000
        placed = [((self._count + at) * 7 // 3 % PARTITIONS, value, now_ms) for at, (_, value) in enumerate(records)]
        self._count += len(records)
        produce_unkeyed(self._settings.brokers, self._settings.input_topic, placed)


class Strike:
    """Kills a service, or the process in it that re-keys: then the service ends by itself."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.rekeyers = 0

    def __call__(self, service: ServiceProcess) -> None:
        """Do it, and wait for the end of the service."""
        with suppress(AssertionError, psutil.Error, ProcessLookupError):
            if self._chance.random() < 0.5:
                os.kill(rekeyer_of(service.process), signal.SIGKILL)
                self.rekeyers += 1
                service.process.wait(STOP_SECONDS)
        service.kill()


def between_of(settings: KafkaSettings) -> KafkaSettings:
    """Return the settings with the topic of the re-keyed readings as the input."""
    return settings.model_copy(update={"input_topic": f"{settings.group_id}-{settings.input_topic}-by-sensor"[-249:]})


def _await_all(topics: Topics, between: KafkaSettings) -> None:
    """Wait until all is re-keyed, and all that is re-keyed is scored."""
    plant_ends = {number: end for number, end in topics.ends().items() if end}
    until(lambda: _committed(topics, f"{topics.settings.group_id}-rekey") == plant_ends, SETTLE_SECONDS)
    with closing(KafkaReader(between, between.input_topic)) as reader:
        ends = {number: end for number, end in reader.ends_of(reader.partitions()).items() if end}
    until(lambda: {number: place for number, place in topics.committed().items() if place} == ends, SETTLE_SECONDS)


def _committed(topics: Topics, group: str) -> dict[int, int]:
    found = topics.admin.list_group_offsets(group)[group]
    return {tp.partition: one.offset for tp, one in found.items() if one.offset >= 0}


def compare_rekeyed(inputs: list[Any], rejected: Iterable[Rejected], rekeyed: list[Any], findings: Findings) -> None:
    """Check that each reading was re-keyed once, and each sensor into one partition."""
    places = {(one.record.partition, one.record.offset) for one in rejected}
    expected = {
        f"{one.topic}-{one.partition}-{one.offset}-0".encode() for one in inputs if (one.partition, one.offset) not in places
    }
    seen = Counter(headers(one)[ORIGIN_HEADER] for one in rekeyed)
    kinds: dict[str, Iterable[bytes | None]] = {
        "missing": expected - seen.keys(),
        "doubled": {origin for origin, times in seen.items() if times > 1},
        "unexpected": seen.keys() - expected,
    }
    for kind, origins in kinds.items():
        for origin in origins:
            findings.note(kind, f"the re-keyed reading {origin!r}")
    partitions: dict[bytes, set[int]] = defaultdict(set)
    for one in rekeyed:
        partitions[one.key].add(one.partition)
    for key, of_key in partitions.items():
        if len(of_key) > 1:
            findings.note("out_of_order", f"{key!r} is in partitions {sorted(of_key)}")


def _decoded(inputs: list[Any]) -> Any:  # noqa: ANN401 - the client ships no types
    return JsonDecoder(FEATURES, InputLimits()).decode(inputs)


def compare_all(topics: Topics, rekeyed: list[Any], model: Path, findings: Findings) -> None:
    """Compare what was re-keyed, the events and the dead letters of a plant that sends the native format."""
    inputs, alerts = topics.input(), topics.alerts()
    compare_rekeyed(inputs, _decoded(inputs).rejected, rekeyed, findings)
    compare_alerts(expected_by(rekeyed, lambda: make_detector(model, NO_SILENCE)), alerts, Leniency(), findings)
    check_limits_moved(alerts, findings)
    compare_dead_letters(inputs, JsonDecoder(FEATURES, InputLimits()), topics.dead_letters(), findings)


def _row(
    plant: Plant, topics: Topics, between: KafkaSettings, began: float, outcome: tuple[int, tuple[str, ...], int]
) -> RoundResult:
    deaths, crashes, rekeyers = outcome
    findings = Findings()
    rekeyed, alerts = read_all(between.brokers, between.input_topic), topics.alerts()
    plant.compare(topics, rekeyed, plant.model, findings)
    return RoundResult(
        fault=plant.fault,
        plant="trained model",
        count=deaths,
        unit=f"kills, {rekeyers} of the re-keying",
        readings=len(topics.input()),
        events=len(alerts),
        findings=findings,
        longest_stall_seconds=longest_stall_seconds(rekeyed, alerts),
        read_again=0,
        seconds=time.monotonic() - began,
        crashes=crashes,
    )
