"""Measures the time from writing a reading to receiving its event, at loads that are shares of the speed of a drain.

Readings that are far off give an event each. Beside it, in the same run, what a plain consumer of the same records sees of
them: the floor. A batch is what the service must at least wait for: one call of a tile, as it scores them.
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_detector.readings import Float64Array
from tests.benchmarks.performance.end_to_end import capacity
from tests.benchmarks.performance.figures import AT_MOST, LESS, NEITHER, Figure, Places, RunSize
from tests.benchmarks.performance.listening import Listener, listener, time_of_event, time_of_reading
from tests.benchmarks.performance.load import KnownFleet, Pacer, Sent, pacer
from tests.benchmarks.performance.models import KNOWN_SENSORS, SMALL, trained_model
from tests.benchmarks.performance.plain import tile_milliseconds
from tests.benchmarks.performance.processes import in_a_process
from tests.benchmarks.performance.replicas import PATIENCE_SECONDS, Replicas
from tests.integration.topics import Topics, until

PART = "latency"
PARTITIONS = 6
#: Each of their readings has an event.
FAR_OFF_SENSORS = 12
LOADS, KEY_LOAD, GOAL = (0.25, 0.5, 0.9), 0.5, 3.0
#: Of a load before its latencies count.
SETTLE_SECONDS = 3.0
#: Between a commit and the receipt of its last event, and far more.
RECEIPT_SECONDS = 2.0
LEAST_SHARE_HEARD = 0.95
MAX_GAP_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Heard:
    """The times of readings and of their events [N, 2], in ms, in a span of load."""

    sent: Sent
    events: Float64Array
    floor: Float64Array


class Rig:
    """A service under load, and its listeners."""

    def __init__(self, places: Places, model: Path, features: int, parts: ExitStack, **settings: object) -> None:
        name = f"paced-{uuid.uuid4().hex[:8]}"
        topics = parts.enter_context(closing(Topics(places.kafka.brokers, name, PARTITIONS, start="earliest")))
        kafka = topics.settings
        # Every reading has an event, and the pause between the warm-up and the load does not empty the windows.
        settings = {"ALERTS__UPDATE_SECONDS": 0.001, "STATE__MAX_GAP_SECONDS": MAX_GAP_SECONDS, **settings}
        self._group = Replicas(places, kafka, model, 1, **settings)
        parts.callback(self._group.kill)
        fleet = KnownFleet(features, FAR_OFF_SENSORS)
        self._pacer: Pacer = parts.enter_context(pacer(kafka.brokers, kafka.input_topic, fleet))
        self._events: Listener = parts.enter_context(listener(kafka.brokers, kafka.alerts_topic, time_of_event))
        # One partition of the input: all of them would take a noticeable share of the machine.
        self._floor: Listener = parts.enter_context(listener(kafka.brokers, kafka.input_topic, time_of_reading, [0]))
        self._written = 0

    def warm_up(self, window_length: int) -> None:
        """Fill all windows."""
        self._pacer.warm_up(window_length)
        self._written += KNOWN_SENSORS * window_length
        self._group.await_ready()
        self._catch_up()

    def carry(self, readings_per_second: float, seconds: float) -> Heard:
        """Produce load; return the times of its second part, once all events have arrived."""
        settling = self._pacer.carry(readings_per_second, SETTLE_SECONDS)
        sent = self._pacer.carry(readings_per_second, seconds)
        self._written += settling.readings + sent.readings
        self._catch_up()
        return Heard(sent, _of(sent, self._events.heard()), _of(sent, self._floor.heard()))

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU used so far, by process."""
        return self._group.cpu_seconds()

    def _catch_up(self) -> None:
        until(lambda: self._group.total("records_total") >= self._written, PATIENCE_SECONDS)
        time.sleep(RECEIPT_SECONDS)


def measure(places: Places, size: RunSize) -> list[Figure]:
    """Measure the speed of a drain; return latencies at shares of it."""
    model = trained_model(places.models, *SMALL)
    window_length, features = SMALL
    batch_ms = in_a_process(tile_milliseconds, model)
    figures = [Figure(PART, "a batch: one call of a tile", batch_ms, "ms")]
    speed = capacity(places, size)
    with ExitStack() as parts:
        rig = Rig(places, model, features, parts)
        rig.warm_up(window_length)
        for load in LOADS:
            figures += _figures(load, rig.carry(load * speed, size.choose(10.0, 40.0)), batch_ms)
    return figures


def _of(sent: Sent, heard: Float64Array) -> Float64Array:
    """Return the times of the readings of a span."""
    return heard[(heard[:, 0] >= sent.began_ms) & (heard[:, 0] <= sent.ended_ms)]


def _figures(load: float, heard: Heard, batch_ms: float) -> list[Figure]:
    """Return the figures of one load. Raises RuntimeError if an anomalous reading had no event."""
    sent, at = heard.sent, f"at {load:.0%}"
    if len(heard.events) < LEAST_SHARE_HEARD * sent.anomalous:
        msg = f"{at} of the load {sent.anomalous} readings were far off, but {len(heard.events)} events came"
        raise RuntimeError(msg)
    (event_p50, event_p99), (floor_p50, floor_p99) = percentiles(heard.events), percentiles(heard.floor)
    key = "latency_p99_over_floor_at_half_load" if load == KEY_LOAD else None
    goal = (AT_MOST, GOAL) if load == KEY_LOAD else None
    over = event_p99 / (floor_p99 + batch_ms)
    seconds = (sent.ended_ms - sent.began_ms) / 1000
    return [
        Figure(PART, f"load {at}", sent.readings / seconds, "readings/s", better=NEITHER),
        Figure(PART, f"reading to event, p50, {at}", event_p50, "ms"),
        Figure(PART, f"reading to event, p99, {at}", event_p99, "ms"),
        Figure(PART, f"written to consumed by a plain client, p50, {at}", floor_p50, "ms", better=NEITHER),
        Figure(PART, f"written to consumed by a plain client, p99, {at}", floor_p99, "ms", better=NEITHER),
        Figure(PART, f"p99 over the plain client's and a batch, {at}", over, "ratio", key, goal, better=LESS),
        Figure(PART, f"pacing late by at most, {at}", 1000 * sent.late_seconds, "ms", better=NEITHER),
        Figure(
            PART, f"pacing and producing, {at}", 1e6 * sent.cpu_seconds / sent.readings, "us of CPU a reading", better=NEITHER
        ),
    ]


def percentiles(heard: Float64Array) -> tuple[float, float]:
    """Return 50 % and 99 % of the times between [N, 2]."""
    p50, p99 = np.percentile(heard[:, 1] - heard[:, 0], [50, 99])
    return float(p50), float(p99)
