"""What `run` does about a topic whose records are not keyed by sensor: refuses it, or re-keys it in a process of its own."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

from stream_detector.adapters.kafka.rekey_topics import ensure_rekey_topics
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import ensure_topics
from stream_detector.assembly import LOOKBACK_SECONDS, restore_config, start_position
from stream_detector.commands.connections import Connections, wait_for_kafka
from stream_detector.commands.input_payload import reader_of
from stream_detector.commands.rekey_engine import Route, kafka_of, retention_seconds, route_of, target_of
from stream_detector.commands.rekey_start import begin_ms, look_up_ages, retention_ms
from stream_detector.commands.run_model import Watched
from stream_detector.errors import InputDataError, RetriableError
from stream_detector.rekey.engine import EARLIEST, committed_of_all
from stream_detector.rekey.sample import look_for_spread
from stream_detector.rekey.unkeyed import describe
from stream_detector.service.companion import Companion
from stream_detector.service.metrics import Metrics
from stream_detector.service.watchdog import Heartbeat
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings
from stream_detector.timestamps import iso_time

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_CURE = (
    f"Each partition would build a window of its own for it, with gaps. Either key the records by sensor id; or set "
    f"{PREFIX}INPUT__REPARTITION=true, and they are re-keyed through a topic of the detector's own; or copy them with "
    f"`stream-detector rekey` and read the copy. docs/unkeyed.md compares these. To start regardless, set "
    f"{PREFIX}INPUT__ALLOW_UNKEYED=true"
)


def refuse_unkeyed(settings: Settings, source: KafkaSource) -> None:
    """Look at the newest records; raise InputDataError if the topic's sensors are spread over its partitions.

    Reads only, bounded. If that is not possible now, or if few sensors are spread, the log says so.
    """
    try:
        spread = look_for_spread(source, reader_of(settings))
    except RetriableError as error:
        logger.warning("whether the records are keyed by sensor could not be looked up: %s", error)
        return
    if spread is None:
        return
    text = describe(spread, settings.kafka.input_topic)
    if spread.is_topic and not settings.input.allow_unkeyed:
        raise InputDataError(f"{text}. {_CURE}")
    logger.warning("%s. Each partition builds a window of its own for such a sensor: see docs/unkeyed.md", text)


def rekey_command(arguments: argparse.Namespace) -> list[str]:
    """Return the command of the process that re-keys, without where it starts."""
    command = [sys.executable, "-m", "stream_detector", "rekey", "--for-run"]
    for option, value in (("--config", arguments.config), ("--secrets", arguments.secrets)):
        command += [option, str(value)] if value is not None else []
    return command


@dataclass(frozen=True, slots=True)
class Rekeying:
    """The process that re-keys, and how it is watched until the service does it."""

    companion: Companion
    route: Route
    settings: Settings  # as the plant's topic is read
    heartbeat: Heartbeat

    def await_history(self, connections: Connections) -> None:
        """Wait until all that is in the plant's topic now is re-keyed, if the detector's group is new.

        Where a new group starts would mean something else otherwise: what comes late would count as new. Blocks.
        """
        numbers = connections.source.partitions()
        if start_position(self.settings.kafka) == "earliest":
            return
        if any(connections.source.committed(number) is not None for number in numbers):
            return
        with closing(KafkaSource(kafka_of(self.route, self.settings.kafka))) as plant:
            ends = wait_for_kafka(plant.ends, self.settings.service.start_seconds)
            while not committed_of_all(plant, ends):
                self.companion.check()
                self.heartbeat.stage = f"re-keying what is in topic {self.route.from_topic}: {self.companion.lag} records to go"
                self.heartbeat.beat(time.monotonic())
                time.sleep(_LOOK_SECONDS)


def begin_rekeying(
    settings: Settings,
    watched: Watched | None,
    command: list[str],
    resources: ExitStack,
    *,
    metrics: Metrics,
    heartbeat: Heartbeat,
) -> Rekeying:
    """Create the topic between if it is missing, and start the process that fills it."""
    route = route_of(settings)
    first = settings.kafka.model_copy(
        update={"request_timeout_seconds": min(settings.kafka.request_timeout_seconds, settings.service.start_seconds)}
    )
    start_ms = wait_for_kafka(lambda: _prepare(settings, first, route, watched), settings.service.start_seconds)
    start = "earliest" if start_ms == EARLIEST else iso_time(start_ms)
    logger.info("re-keying topic %s into topic %s, as group %s", route.from_topic, route.to_topic, route.group_id)
    limit_seconds = settings.service.watchdog_seconds
    companion = Companion([*command, "--start", start], route.from_topic, metrics, time.monotonic, limit_seconds)
    resources.callback(companion.stop)
    return Rekeying(companion, route, settings, heartbeat)


def _prepare(settings: Settings, kafka: KafkaSettings, route: Route, watched: Watched | None) -> int:
    """Create the topics that are missing; return from which time on a new group re-keys."""
    ensure_topics(kafka)
    lookback_ms = _lookback_ms(settings, watched)
    now_ms = time.time_ns() // 1_000_000
    with closing(KafkaReader(kafka, route.from_topic)) as reader:
        ages = look_up_ages(reader)
    start_ms = begin_ms(start_position(kafka), lookback_ms, ages, now_ms)
    seconds = retention_seconds(settings.input, lookback_ms / 1000)
    ensure_rekey_topics(kafka, target_of(route, settings.input, retention_ms(seconds, start_ms, ages, now_ms)))
    return start_ms


def _lookback_ms(settings: Settings, watched: Watched | None) -> int:
    """Return what fills the windows; without a model, all that the topic between keeps."""
    if watched is None:
        return round(1000 * retention_seconds(settings.input, LOOKBACK_SECONDS))
    return restore_config(watched.detector.model, settings, watched.detector.slowest_interval_ms).lookback_ms
