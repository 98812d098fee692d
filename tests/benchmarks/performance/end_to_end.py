"""Measures the service as a process between real Kafka and Valkey, on the cores of this machine, while it drains a topic.

Measures speed, and CPU by process, between two moments in the middle, for one replica and for two; and plain consumers with
Keras on the same topic.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.performance import plain
from tests.benchmarks.performance.figures import AT_LEAST, NEITHER, Figure, Places, RunSize
from tests.benchmarks.performance.load import KnownFleet
from tests.benchmarks.performance.models import KNOWN_SENSORS, LARGE, SMALL, trained_model
from tests.benchmarks.performance.processes import in_a_process
from tests.benchmarks.performance.replicas import PATIENCE_SECONDS, Replicas
from tests.benchmarks.restore_load import write_lines
from tests.integration.topics import Topics, until

PART = "end to end"
PARTITIONS = 6
GOAL_READINGS_PER_SECOND, GOAL_PER_MESSAGE, GOAL_PER_POLL = 16_700.0, 100.0, 5.0
#: A measurement shorter than this says nothing: the topic was too short, or the service too fast for it.
LEAST_SECONDS = 3.0
EDGE_SECONDS = 0.02
SCORED, OPENED = "scored_windows_total", 'alerts_total{status="opened"}'


@dataclass(frozen=True, slots=True)
class Drained:
    """The figures of draining a topic, between two moments in the middle."""

    readings: float
    seconds: float
    scored_share: float
    incidents: float  # opened
    cpu_seconds: dict[str, float]  # by process

    @property
    def readings_per_second(self) -> float:
        """The speed."""
        return self.readings / self.seconds


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, and how long to drain a topic with it."""

    window_length: int
    features: int
    turns: int  # of one reading a sensor, after those that fill the windows
    seconds: float  # at most

    @property
    def name(self) -> str:
        """The name in figures."""
        return f"window {self.window_length}, {self.features} feature{'s' if self.features > 1 else ''}"


def measure(places: Places, size: RunSize) -> list[Figure]:
    """Measure everything that the module's docstring names."""
    small = Shape(*SMALL, turns=size.choose(300, 900), seconds=size.choose(12.0, 40.0))
    large = Shape(*LARGE, turns=size.choose(150, 400), seconds=size.choose(10.0, 30.0))
    figures = []
    with _preloaded(places, small) as topics:
        drained = _drain(places, topics, small, replicas=1)
        figures += _drained_figures(drained, small, goal=(AT_LEAST, GOAL_READINGS_PER_SECOND))
        pair = _drain(places, topics, small, replicas=2)
        figures += [Figure(PART, f"2 replicas, {small.name}", pair.readings_per_second, "readings/s")]
        figures += _beside_plain(topics, drained, trained_model(places.models, *SMALL), size)
    with _preloaded(places, large) as topics:
        figures += _drained_figures(_drain(places, topics, large, replicas=1), large)
    return figures


def capacity(places: Places, size: RunSize) -> float:
    """Return only the speed of one replica with the small model, in readings per second."""
    shape = Shape(*SMALL, turns=size.choose(200, 500), seconds=size.choose(6.0, 20.0))
    with _preloaded(places, shape) as topics:
        return _drain(places, topics, shape, replicas=1).readings_per_second


@contextmanager
def _preloaded(places: Places, shape: Shape) -> Iterator[Topics]:
    """Yield topics. The input holds first the turns that fill the windows, then the turns to drain.

    A new group starts at the latter and fills its windows from the earlier turns, so every reading is scored.
    """
    brokers, turns = places.kafka.brokers, shape.window_length + shape.turns
    fleet = KnownFleet(shape.features)
    with closing(Topics(brokers, f"drain-{uuid.uuid4().hex[:8]}", PARTITIONS)) as topics:
        write_lines(brokers, topics.settings.input_topic, fleet.lines(0, shape.window_length))
        start = datetime.now(UTC).isoformat()
        write_lines(brokers, topics.settings.input_topic, fleet.lines(shape.window_length, turns))
        topics.settings = topics.settings.model_copy(update={"start": start})
        yield topics


def _drain(places: Places, topics: Topics, shape: Shape, replicas: int) -> Drained:
    """Drain the input topic with a new group; start to measure once it runs."""
    name = f"{topics.settings.group_id}-{replicas}"
    names = {"group_id": name, "alerts_topic": f"{name}.alerts", "dead_letter_topic": f"{name}.dead"}
    model = trained_model(places.models, shape.window_length, shape.features)
    group = Replicas(places, topics.settings.model_copy(update=names), model, replicas)
    total = KNOWN_SENSORS * shape.turns
    try:
        group.await_ready()
        until(lambda: group.total("records_total") >= 0.05 * total, PATIENCE_SECONDS)
        return _between_edges(group, shape.seconds, 0.95 * total)
    finally:
        group.kill()


def _between_edges(group: Replicas, seconds: float, until_records: float) -> Drained:
    """Measure from one commit to another, some seconds later or when the topic is nearly drained."""
    began, records = _edge(group)
    scored, opened, cpu = group.total(SCORED), group.total(OPENED), group.cpu_seconds()
    while time.perf_counter() < began + seconds and group.total("records_total") < until_records:
        time.sleep(0.1)
    ended, last = _edge(group)
    if ended - began < LEAST_SECONDS:
        msg = f"worked off in {ended - began:.1f} s: too short to be measured, the topic needs more readings"
        raise RuntimeError(msg)
    used = {name: after - cpu[name] for name, after in group.cpu_seconds().items()}
    share = (group.total(SCORED) - scored) / (last - records)
    return Drained(last - records, ended - began, share, group.total(OPENED) - opened, used)


def _edge(group: Replicas) -> tuple[float, float]:
    """Wait for a commit; return its time, and how many records are committed."""
    before = group.total("records_total")
    now = before

    def has_moved() -> bool:
        nonlocal now
        now = group.total("records_total")
        return now > before

    deadline = time.perf_counter() + PATIENCE_SECONDS
    while not has_moved():
        assert time.perf_counter() < deadline, "nothing is committed any more"
        time.sleep(EDGE_SECONDS)
    return time.perf_counter(), now


def _drained_figures(drained: Drained, shape: Shape, goal: tuple[str, float] | None = None) -> list[Figure]:
    key = "readings_per_second_two_cores" if goal else None
    speed = Figure(PART, f"one replica, {shape.name}", drained.readings_per_second, "readings/s", key, goal)
    share = Figure(PART, f"share of readings scored, {shape.name}", drained.scored_share, "ratio", better=NEITHER)
    per_million = 1e6 * drained.incidents / drained.readings
    incidents = Figure(PART, f"incidents, {shape.name}", per_million, "a million readings", better=NEITHER)
    unit = "us of CPU a reading"
    return [speed, share, incidents] + [
        Figure(PART, f"{name}, {shape.name}", 1e6 * seconds / drained.readings, unit)
        for name, seconds in drained.cpu_seconds.items()
    ]


def _beside_plain(topics: Topics, drained: Drained, model: Path, size: RunSize) -> list[Figure]:
    """Measure plain consumers on the same topic with the same network."""
    where = plain.Topic(topics.settings.brokers, topics.settings.input_topic)
    seconds = size.choose(12.0, 40.0)
    per_message = in_a_process(plain.predict_per_message, where, model, seconds)
    per_poll = in_a_process(plain.predict_per_poll, where, model, seconds)
    only = in_a_process(plain.consume_only, where)
    speed = drained.readings_per_second
    message, poll = "end_to_end_over_per_message_predict", "end_to_end_over_per_poll_predict"
    return [
        Figure(PART, "plain consumer, Keras predict per message", per_message, "readings/s", better=NEITHER),
        Figure(PART, "plain consumer, Keras predict per poll", per_poll, "readings/s", better=NEITHER),
        Figure(PART, "plain consumer, nothing done", only, "readings/s", better=NEITHER),
        Figure(PART, "over predict per message", speed / per_message, "ratio", message, (AT_LEAST, GOAL_PER_MESSAGE)),
        Figure(PART, "over predict per poll", speed / per_poll, "ratio", poll, (AT_LEAST, GOAL_PER_POLL)),
    ]
