"""Publishes a series to the input topic at a given pace, until it ends or the caller stops it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream_detector.adapters.kafka.client_patches import bounded_producer
from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import producer_options
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.errors import RetriableError, SettingsError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.simulation.fleet import FEATURES
from stream_detector.simulation.series import Piece, Series
from stream_detector.timestamps import iso_time

#: Bound on readings sent but not acknowledged; the client's producer has none.
MOST_UNACKNOWLEDGED = 5000
_ROWS_PER_PIECE = 1000
_LINGER_MS = 20


class ReadingsWriter:
    """Sends readings keyed by sensor; blocks while too many are unacknowledged. Raises RetriableError without Kafka."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.input_topic
        self._timeout_seconds = settings.request_timeout_seconds
        options = producer_options(settings)
        options |= {"linger_ms": _LINGER_MS, "delivery_timeout_ms": 2 * options["request_timeout_ms"]}
        self._producer: Any = open_client(KafkaProducer, options)
        self._unacknowledged: deque[Any] = deque()
        self.acknowledged = 0

    def send(self, sensor_id: str, value: bytes) -> None:
        """Send one reading."""
        try:
            self._unacknowledged.append(self._producer.send(self._topic, key=sensor_id.encode(), value=value))
            if len(self._unacknowledged) > MOST_UNACKNOWLEDGED:
                self._await_oldest()
        except KafkaError as error:
            raise self._translated(error) from error

    def flush(self) -> None:
        """Wait until every reading is acknowledged. Bounded: the producer gives up on a record after two request timeouts."""
        try:
            while self._unacknowledged:
                self._await_oldest()
        except KafkaError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Close the connections without waiting for acknowledgements. Bounded."""
        bounded_producer.kill(self._producer, self._timeout_seconds)

    def _await_oldest(self) -> None:
        # Longer than the producer's delivery timeout, which is two request timeouts.
        self._unacknowledged.popleft().get(timeout=3.0 * self._timeout_seconds)
        self.acknowledged += 1

    def _translated(self, error: KafkaError) -> Exception:
        return translate(error, f"publishing readings to {self._topic}")


def messages(series: Series, piece: Piece) -> Iterator[tuple[str, bytes]]:
    """Yield sensor and JSON document of every reading, ordered by time; a missing value is null."""
    ids = series.fleet.sensor_ids()
    for step, time_ms in enumerate(piece.times_ms.tolist()):
        timestamp = iso_time(time_ms)
        for sensor_id, row in zip(ids, piece.values[:, step].tolist(), strict=True):
            values = dict(zip(FEATURES, row, strict=True))  # NaN is written as null
            yield sensor_id, msgspec.json.encode({"sensor_id": sensor_id, "timestamp": timestamp, "values": values})


def paced(
    series: Series, steps: int | None, speed: float, now: Callable[[], float], wait: Callable[[float], bool]
) -> Iterator[Piece]:
    """Yield the pieces of a series when they are due; endlessly if `steps` is None.

    Event time runs `speed` times as fast as the clock, and never ahead of it. `now` returns epoch seconds; `wait(seconds)`
    blocks for that long at most and returns True to stop.
    """
    started_at = now()
    start_ms = series.time_of_next_step_ms()
    interval_ms = series.fleet.interval_seconds * 1000.0
    done = 0
    most = max(_ROWS_PER_PIECE // series.fleet.sensors, 1)
    while (steps is None or done < steps) and not wait(0.0):
        clock = now()
        reached_ms = min(start_ms + speed * (clock - started_at) * 1000.0, clock * 1000.0)
        due = int((reached_ms - start_ms) // interval_ms) + 1 - done if reached_ms >= start_ms else 0
        if due <= 0:
            ahead_ms = series.time_of_next_step_ms() - reached_ms
            wait(min(max(ahead_ms / speed / 1000.0, 0.001), 0.5))
            continue
        piece = series.next_piece(min(due, most, steps - done if steps is not None else most))
        done += len(piece.times_ms)
        yield piece


def open_writer(
    settings: KafkaSettings,
    wait_seconds: float,
    now: Callable[[], float],
    stopped: Callable[[], bool],
    on_wait: Callable[[str], None],
) -> ReadingsWriter | None:
    """Wait for the brokers, create the topic if missing and allowed, and open a writer; return None when stopped.

    Calls `on_wait` once with a message if it has to wait. Raises RetriableError if no broker answers within
    `wait_seconds`, SettingsError if the topic is missing and may not be created.
    """
    deadline = now() + wait_seconds
    attempt = settings.model_copy(update={"request_timeout_seconds": min(settings.request_timeout_seconds, 5.0)})
    is_announced = False
    while not stopped():
        try:
            _ensure_topic(attempt)
            return ReadingsWriter(settings)
        except RetriableError as error:
            if now() >= deadline:
                raise
            if not is_announced:
                on_wait(f"waiting for Kafka: {error}")
            is_announced = True
    return None


def _ensure_topic(settings: KafkaSettings) -> None:
    with KafkaTopics(settings) as topics:
        if topics.describe(settings.input_topic) is not None:
            return
        if not settings.create_topics:
            msg = (
                f"{PREFIX}KAFKA__INPUT_TOPIC: there is no topic {settings.input_topic}; "
                f"create it, or set {PREFIX}KAFKA__CREATE_TOPICS=true"
            )
            raise SettingsError(msg)
        topics.create(settings.input_topic, settings.partitions)
