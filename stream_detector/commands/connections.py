"""Opens the service's connections to Kafka and Redis when it starts, and waits a limited time for Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.topics import ensure_topics
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.errors import RetriableError, StoreRefusedError, StoreUnavailableError
from stream_detector.settings.schema import Settings

logger = logging.getLogger(__name__)

_Built = TypeVar("_Built")


@dataclass(frozen=True, slots=True)
class Connections:
    """The clients of Kafka and Redis."""

    source: KafkaSource
    sink: KafkaSink
    store: RedisStore


def connect(settings: Settings, resources: ExitStack) -> Connections:
    """Connect to Kafka and Redis; wait for Kafka. Raises the last RetriableError after the limit."""
    kafka, start_seconds = settings.kafka, settings.service.start_seconds
    patience = min(kafka.request_timeout_seconds, start_seconds)
    first = kafka.model_copy(update={"request_timeout_seconds": patience})  # one attempt must not exceed the start limit
    wait_for_kafka(lambda: ensure_topics(first), start_seconds)
    store = RedisStore(settings.redis, kafka.group_id, kafka.input_topic)
    resources.callback(store.close)
    _check_access(store)
    source = wait_for_kafka(lambda: KafkaSource(kafka), start_seconds)
    resources.callback(source.close)
    sink = wait_for_kafka(lambda: KafkaSink(kafka), start_seconds)
    resources.callback(sink.close)
    return Connections(source, sink, store)


def _check_access(store: RedisStore) -> None:
    """Raise StoreRefusedError if Redis refuses access: waiting would not help. Tolerate a Redis that does not answer yet."""
    try:
        store.ping()
    except StoreRefusedError:
        raise
    except StoreUnavailableError as error:
        logger.debug("Redis does not answer yet: %s", error)


def wait_for_kafka(build: Callable[[], _Built], limit_seconds: float) -> _Built:
    """Call `build` until it succeeds. Raises its last error after the limit."""
    until = time.monotonic() + limit_seconds
    while True:
        try:
            return build()
        except RetriableError as error:
            if time.monotonic() > until:
                raise
            logger.warning("waiting for Kafka: %s", error)
            time.sleep(1.0)
