"""`stream-detector run`: the service. This is where its parts are put together."""

from __future__ import annotations

import argparse
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from stream_detector import __version__
from stream_detector.adapters.http_server import serve_pages
from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.topics import ensure_topics
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.assembly import build_detector, decision_rules, input_limits, pipeline_rules, restore_rules
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detector import Detector
from stream_detector.errors import (
    RetriableError,
    StoreRefusedError,
    StoreUnavailableError,
    StreamDetectorError,
)
from stream_detector.gate.promotion import warning_of
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.logs import set_up_logging
from stream_detector.pipeline.keeper import LagBounds, StateKeeper
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.restore import RestorePorts
from stream_detector.service.health import health_pages
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader, describe_rules, reread_alerts
from stream_detector.service.service import Service, tune_garbage_collector
from stream_detector.service.signals import ReloadFlag, StopFlag
from stream_detector.service.watchdog import Heartbeat, Watchdog, end_process
from stream_detector.settings.schema import AlertSettings, Settings

logger = logging.getLogger(__name__)

_Built = TypeVar("_Built")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; everything else is a setting."""
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code."""
    settings = settings_of(arguments)
    set_up_logging(settings.service.log_level, settings.service.log_format)
    signals = Signals(StopFlag(), ReloadFlag())
    try:
        with signals.stop.installed(), signals.reload.installed(), suppress(_Stopped), ExitStack() as parts:
            run_service(settings, lambda: settings_of(arguments), signals, parts)
    except StreamDetectorError as error:
        if settings.service.log_format == "json":  # in a log of text, the message of the command line is enough
            logger.critical("%s", error, extra={"error": type(error).__name__})
        raise
    return 0


class _Stopped(Exception):  # noqa: N818 - not an error: asked to stop while still waiting for Kafka
    """The stop came before there was anything to stop."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the process is asked from outside."""

    stop: StopFlag
    reload: ReloadFlag


def run_service(settings: Settings, load: Callable[[], Settings], signals: Signals, parts: ExitStack) -> None:
    """Put the parts together, outermost first, and run. `parts` closes them in the opposite order.

    `load` reads the settings again, for a reload.
    """
    metrics = Metrics()
    heartbeat = Heartbeat(time.monotonic())
    limit_seconds = settings.service.watchdog_seconds
    pages = health_pages(heartbeat, metrics, limit_seconds, time.monotonic)
    port = parts.enter_context(serve_pages(settings.http.host, settings.http.port, pages))
    logger.info("stream-detector %s: health and metrics on port %d", __version__, port, extra={"port": port})
    detector, rules_for = _load_model(settings, metrics)
    reloader = Reloader(signals.reload, rules_for(settings.alerts), lambda: rules_for(reread_alerts(settings, load)), metrics)
    logger.info("%s", describe_rules(reloader.rules), extra={"rules": reloader.rules.rules_version})
    pipeline = _connect(settings, detector, signals.stop, parts, heartbeat)
    tune_garbage_collector()
    heartbeat.beat_at = time.monotonic()
    gather_seconds = settings.service.target_latency_seconds / 2
    service = Service(
        pipeline, metrics, heartbeat, time.monotonic, settings.kafka.dead_letter_topic, gather_seconds=gather_seconds
    )
    with Watchdog(heartbeat, limit_seconds, time.monotonic, end_process):
        service.run(signals.stop, reloader)


def _load_model(settings: Settings, metrics: Metrics) -> tuple[Detector, Callable[[AlertSettings], DecisionRules]]:
    """Load and warm the model before the group is joined: a slow start must not cost a rebalance.

    Return the detector, and what makes its rules from other settings of alerts.
    """
    from stream_detector.adapters.keras_scorer import KerasScorer, usual_threads

    scorer = KerasScorer(settings.model.directory, settings.model.tile_rows, settings.model.threads or usual_threads())
    if warning := warning_of(scorer.report, settings.model.refuse_unpromoted):
        logger.warning("model %s %s: %s", scorer.spec.name, scorer.spec.version, warning)
    detector = build_detector(scorer, settings.state, settings.alerts)
    metrics.set("model", 1, scorer.spec.name, scorer.spec.version)
    logger.info(
        "model %s %s: features %s, window %d",
        scorer.spec.name,
        scorer.spec.version,
        ", ".join(scorer.spec.features),
        scorer.spec.window_length,
        extra={"model": scorer.spec.name, "version": scorer.spec.version},
    )
    return detector, partial(decision_rules, scorer.spec, scorer.calibration, settings.state)


def _connect(settings: Settings, detector: Detector, stop: StopFlag, parts: ExitStack, heartbeat: Heartbeat) -> Pipeline:
    """Connect the detector to Kafka and Redis."""
    kafka = settings.kafka
    start_seconds = settings.service.start_seconds
    patience = min(kafka.request_timeout_seconds, start_seconds)
    first = kafka.model_copy(update={"request_timeout_seconds": patience})  # one attempt must not outlast the start
    _insist(lambda: ensure_topics(first), start_seconds, stop)
    store = RedisStore(settings.redis, kafka.group_id, kafka.input_topic)
    parts.callback(store.close)
    _check_rights(store)
    source = _insist(lambda: KafkaSource(kafka), start_seconds, stop)
    parts.callback(source.close)
    sink = _insist(lambda: KafkaSink(kafka), start_seconds, stop)
    parts.callback(sink.close)
    executor = parts.enter_context(ThreadPoolExecutor(1, "storing"))
    bounds = LagBounds(settings.redis.max_lag_readings, settings.redis.max_lag_seconds)

    def on_progress() -> None:
        heartbeat.beat(time.monotonic())

    ports = RestorePorts(
        source=source,
        sink=sink,
        decoder=JsonDecoder(detector.model.features, input_limits(settings.input)),
        detector=detector,
        keeper=StateKeeper(
            store, detector, bounds, time.monotonic, secrets.token_bytes, executor=executor, on_progress=on_progress
        ),
        incidents=KafkaIncidentLog(kafka),
    )
    bad = settings.dead_letters
    return Pipeline(
        ports,
        DeadLetterLimit(bad.max_share, bad.min_count, bad.max_run),
        pipeline_rules(settings),
        restore_rules(detector.model, settings),
        time.monotonic,
        on_progress=on_progress,
    )


def _check_rights(store: RedisStore) -> None:
    """Raise StoreRefusedError if Redis refuses us, which no waiting mends; one that does not answer is waited for later."""
    try:
        store.ping()
    except StoreRefusedError:
        raise
    except StoreUnavailableError as error:
        logger.debug("Redis does not answer yet: %s", error)


def _insist(build: Callable[[], _Built], limit_seconds: float, stop: StopFlag) -> _Built:
    """Build what needs Kafka, waiting for it within a bound; raises the last error after it, _Stopped when asked to stop."""
    until = time.monotonic() + limit_seconds
    while True:
        try:
            return build()
        except RetriableError as error:
            if stop.is_set:
                raise _Stopped from None
            if time.monotonic() > until:
                raise
            logger.warning("waiting for Kafka: %s", error)
            time.sleep(1.0)
