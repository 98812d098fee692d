"""Builds what re-keys a topic, from the settings: for the command `rekey` and, as its child, for `run`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from stream_detector.adapters.kafka.rekey_topics import RekeyedTopic
from stream_detector.adapters.kafka.single_owner import SingleOwnerAssignor
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.assembly import dead_letter_limit, input_limits
from stream_detector.commands.input_payload import reader_of
from stream_detector.rekey.engine import EngineConfig, Rekeyer
from stream_detector.rekey.rewriter import Rewriter, Targets
from stream_detector.settings.input_reading import native_again
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings

_DAY_SECONDS = 86_400.0
#: A new topic keeps readings for so many times the look-back, so that a restart finds what fills the windows.
_LOOKBACKS = 2


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where readings are re-keyed, and the group that reads."""

    from_topic: str
    to_topic: str
    group_id: str


def route_of(settings: Settings) -> Route:
    """Return the route of `run`: from the plant's topic to a topic of this group."""
    kafka = settings.kafka
    name = settings.input.repartition_topic or f"{kafka.group_id}-{kafka.input_topic}-by-sensor"[-249:]
    return Route(kafka.input_topic, name, f"{kafka.group_id}-rekey")


def behind(settings: Settings) -> Settings:
    """Return the settings of the detector: behind the re-keying, if there is any."""
    if not settings.input.repartition:
        return settings
    kafka = settings.kafka.model_copy(update={"input_topic": route_of(settings).to_topic})
    return settings.model_copy(update={"kafka": kafka, "input": native_again(settings.input)})


def retention_seconds(settings: InputSettings, lookback_seconds: float = 0.0) -> float:
    """Return for how long a new topic of re-keyed readings keeps them: a restart must find there what fills the windows."""
    return settings.repartition_retention_seconds or max(_DAY_SECONDS, _LOOKBACKS * lookback_seconds)


def target_of(route: Route, settings: InputSettings, retention_ms: int) -> RekeyedTopic:
    """Return the topic of the re-keyed readings as it is created."""
    return RekeyedTopic(route.to_topic, settings.repartition_partitions, retention_ms)


def kafka_of(route: Route, kafka: KafkaSettings) -> KafkaSettings:
    """Return the settings of the clients that re-key."""
    return kafka.model_copy(update={"input_topic": route.from_topic, "group_id": route.group_id})


@dataclass(frozen=True, slots=True)
class Engine:
    """A rekeyer and the source that it reads."""

    rekeyer: Rekeyer
    source: KafkaSource


def build_engine(settings: Settings, route: Route, start_ms: int, resources: ExitStack) -> Engine:
    """Connect, and build the engine. `resources` closes its parts. Raises RetriableError if no broker answers."""
    kafka = kafka_of(route, settings.kafka)
    source = KafkaSource(kafka, SingleOwnerAssignor)
    resources.callback(source.close)
    sink = KafkaSink(kafka)
    resources.callback(sink.close)
    targets = Targets(route.to_topic, kafka.dead_letter_topic, settings.dead_letters.max_value_bytes)
    rewriter = Rewriter(reader_of(settings), input_limits(settings.input), targets)
    limit = dead_letter_limit(settings.dead_letters)
    rekeyer = Rekeyer(source, sink, rewriter, limit, EngineConfig(start_ms, kafka.max_poll_records), clock=time.monotonic)
    return Engine(rekeyer, source)
