"""The obvious first solution, for comparison: a kafka-python consumer that keeps windows in a dict and calls `predict`.

No store, no transactions, no alerts, no linear members, and scales that are known: it does less than the service for a reading,
with the same network on the same topic. Each function runs in a process of its own, and returns readings per second.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from kafka import KafkaConsumer, TopicPartition

from stream_detector.readings import Float32Array

#: Larger than the default of `predict`, which costs it nothing and gains it much.
PREDICT_ROWS = 256
#: Calls before the clock runs.
WARM_CALLS = 3
POLL_MS = 500
TILE_CALLS = 50


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic of the readings."""

    brokers: str
    name: str


def predict_per_message(topic: Topic, model: Path, seconds: float) -> float:
    """Call `predict` for each reading's window as it arrives."""
    network = Network(model)
    calls = ([one] for windows in _polled_windows(topic, network) for one in windows)
    return _speed(network, calls, seconds)


def predict_per_poll(topic: Topic, model: Path, seconds: float) -> float:
    """Call `predict` once for all windows of a poll."""
    network = Network(model)
    return _speed(network, (windows for windows in _polled_windows(topic, network) if windows), seconds)


def consume_only(topic: Topic) -> float:
    """Read the topic from its beginning to its end, and do nothing with it."""
    with closing(_consumer(topic)) as consumer:
        ends = consumer.end_offsets(consumer.assignment())
        consumer.poll(timeout_ms=POLL_MS, max_records=1)  # connected
        began, total = time.perf_counter(), sum(ends.values())
        count = 0
        while count < total - 1:
            count += sum(map(len, consumer.poll(timeout_ms=POLL_MS).values()))
        return count / (time.perf_counter() - began)


def tile_milliseconds(model: Path) -> float:
    """Return the service's time to score one tile of windows, in milliseconds: the median of many calls."""
    from stream_detector.adapters.keras_scorer import KerasScorer
    from stream_detector.settings.schema import ModelSettings
    from stream_detector.state.running_scale import Scales

    scorer = KerasScorer(model)
    features, rows = len(scorer.spec.features), ModelSettings.model_fields["tile_rows"].default // 48 * 48
    windows = np.random.default_rng(0).normal(size=(rows, scorer.spec.window_length, features)).astype(np.float32)
    scales = Scales(np.zeros((rows, features), np.float32), np.ones((rows, features), np.float32))
    seconds = []
    for _ in range(TILE_CALLS):
        began = time.perf_counter()
        scorer.errors(windows, scales)
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds))


class Network:
    """The network of a model, asked as its trainer would: by `predict`, with the newest rows hidden."""

    def __init__(self, model: Path) -> None:
        from stream_detector.model.network import build_network, hidden_rows, load_weights
        from stream_detector.model_store.model_directory import load_artifact

        artifact = load_artifact(model)
        self.features, self.window_length = artifact.spec.features, artifact.spec.window_length
        self._network = build_network(self.window_length, len(self.features), artifact.network)
        load_weights(self._network, artifact.weights)
        self._hidden_rows = hidden_rows(self.window_length)
        self._location, self._deviation = artifact.fleet.location, artifact.fleet.deviation

    def predict(self, windows: Float32Array) -> Float32Array:
        """Return the root of the mean squared error [N] of the hidden rows of windows [N, T, F]."""
        count, steps, features = windows.shape
        first = steps - self._hidden_rows
        scaled = (windows - self._location) / self._deviation
        carried, visible = scaled.copy(), np.ones_like(scaled)
        carried[:, first:], visible[:, first:] = scaled[:, first - 1 : first], 0.0
        inputs = [carried, visible, np.ones((count, steps), np.float32), np.zeros((count, 2 * features), np.float32)]
        head, _ = self._network.predict(inputs, batch_size=PREDICT_ROWS, verbose=0)
        error = scaled[:, first:] - head[:, -self._hidden_rows :, :features]
        return np.asarray(np.sqrt(np.square(error).mean(axis=(1, 2))))


def _polled_windows(topic: Topic, network: Network) -> Iterator[list[list[list[float]]]]:
    """Yield, poll by poll, the windows of readings whose window is full."""
    decode: Callable[[bytes], dict[str, Any]] = msgspec.json.decode
    windows: dict[str, deque[list[float]]] = defaultdict(lambda: deque(maxlen=network.window_length))
    with closing(_consumer(topic)) as consumer:
        while polled := consumer.poll(timeout_ms=10 * POLL_MS):
            full = []
            for record in (record for records in polled.values() for record in records):
                reading = decode(record.value)
                window = windows[reading["sensor_id"]]
                window.append([reading["values"][name] for name in network.features])
                if len(window) == network.window_length:
                    full.append(list(window))
            yield full


def _speed(network: Network, calls: Iterator[list[list[list[float]]]], seconds: float) -> float:
    """Predict for this long; return windows per second. Raises RuntimeError if the topic ends earlier."""
    for _ in range(WARM_CALLS):
        network.predict(np.array(next(calls), np.float32))
    began, count = time.perf_counter(), 0
    for windows in calls:
        network.predict(np.array(windows, np.float32))
        count += len(windows)
        if time.perf_counter() - began > seconds:
            break
    return count / (time.perf_counter() - began)


def _consumer(topic: Topic) -> KafkaConsumer:
    consumer = KafkaConsumer(bootstrap_servers=topic.brokers, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic.name, number) for number in consumer.partitions_for_topic(topic.name)])
    consumer.seek_to_beginning()
    return consumer
