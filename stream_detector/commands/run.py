"""`stream-detector run`: assemble the service and run it."""

from __future__ import annotations

import argparse
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from stream_detector import __version__
from stream_detector.adapters.http_server import serve_pages
from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.assembly import (
    build_detector,
    dead_letter_limit,
    decision_rules,
    input_limits,
    pipeline_config,
    restore_config,
)
from stream_detector.commands.connections import Connections, connect
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detector import Detector
from stream_detector.errors import StreamDetectorError
from stream_detector.gate.promotion import promotion_warning
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.logs import set_up_logging
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.pipeline.build import build_pipeline
from stream_detector.pipeline.config import LagBounds
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import StateAccess, open_state
from stream_detector.service.health import health_pages
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader, describe_rules, reread_alerts
from stream_detector.service.service import Service, tune_garbage_collector
from stream_detector.service.signals import ReloadFlag, StopFlag
from stream_detector.service.watchdog import Heartbeat, Watchdog, end_process
from stream_detector.settings.schema import AlertSettings, Settings
from stream_detector.state.sensor_names import knows_line

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; everything else is a setting."""
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code.

    Until it joins the group there is nothing to finish, and the command line's handlers end the process at once.
    """
    settings = settings_of(arguments)
    set_up_logging(settings.service.log_level, settings.service.log_format)
    signals = Signals(StopFlag(), ReloadFlag())
    try:
        with ExitStack() as handlers, signals.reload.installed(), ExitStack() as resources:
            run = assemble(settings, lambda: settings_of(arguments), signals, resources)
            handlers.enter_context(signals.stop.installed())
            run()
    except StreamDetectorError as error:
        if settings.service.log_format == "json":  # in a text log, the message of the command line is enough
            logger.critical("%s", error, extra={"error": type(error).__name__})
        raise
    return 0


@dataclass(frozen=True, slots=True)
class Signals:
    """The flags that signals set: stop, and reload the settings."""

    stop: StopFlag
    reload: ReloadFlag


def assemble(settings: Settings, load: Callable[[], Settings], signals: Signals, resources: ExitStack) -> Callable[[], None]:
    """Assemble the service; return the function that joins the group and runs it until it is asked to stop.

    `resources` closes its parts in reverse order; `load` reads the settings again.
    """
    metrics = Metrics()
    heartbeat = Heartbeat(time.monotonic())
    limit_seconds = settings.service.watchdog_seconds
    pages = health_pages(heartbeat, metrics, limit_seconds, time.monotonic)
    port = resources.enter_context(serve_pages(settings.http.host, settings.http.port, pages))
    logger.info("stream-detector %s: health and metrics on port %d", __version__, port, extra={"port": port})
    _begin(heartbeat, f"loading the model in {settings.model.directory} and compiling it")
    detector, rules_of = _load_model(settings, metrics)
    reloader = Reloader(signals.reload, rules_of(settings.alerts), lambda: rules_of(reread_alerts(settings, load)), metrics)
    logger.info("%s", describe_rules(reloader.rules), extra={"rules": reloader.rules.rules_version})
    _begin(heartbeat, f"connecting to Kafka at {settings.kafka.brokers} and to Redis")
    connections = connect(settings, resources)
    pipeline = _build_pipeline(settings, detector, connections, resources, heartbeat)
    tune_garbage_collector()
    service = Service(
        pipeline,
        metrics,
        heartbeat,
        time.monotonic,
        settings.kafka.dead_letter_topic,
        gather_seconds=settings.service.target_latency_seconds / 2,
    )

    def run() -> None:
        _begin(heartbeat, f"joining group {settings.kafka.group_id} to read topic {settings.kafka.input_topic}")
        heartbeat.beat_at = time.monotonic()
        with Watchdog(heartbeat, limit_seconds, time.monotonic, end_process):
            service.run(signals.stop, reloader)

    return run


def _begin(heartbeat: Heartbeat, stage: str) -> None:
    """Tell the log and the readiness page what the start is about to do."""
    heartbeat.stage = stage
    logger.info("not ready yet: %s", stage)


def _load_model(settings: Settings, metrics: Metrics) -> tuple[Detector, Callable[[AlertSettings], DecisionRules]]:
    """Return a detector, and a function that derives its decision rules from settings.

    The model is loaded and warmed up before the replica joins the group, so that a slow start delays no rebalance. A model that
    the settings refuse is refused before it is compiled, which takes seconds.
    """
    from stream_detector.adapters.keras_scorer import KerasScorer, usual_threads

    artifact = load_artifact(settings.model.directory)
    if warning := promotion_warning(artifact.report, settings.model.refuse_unpromoted):
        logger.warning("model %s %s: %s", artifact.spec.name, artifact.spec.version, warning)
    scorer = KerasScorer(artifact, settings.model.tile_rows, settings.model.threads or usual_threads())
    detector = build_detector(scorer, settings.state, settings.alerts, settings.rules)
    metrics.set("model", 1, scorer.spec.name, scorer.spec.version)
    logger.info(
        "model %s %s: features %s, window %d",
        scorer.spec.name,
        scorer.spec.version,
        ", ".join(scorer.spec.features),
        scorer.spec.window_length,
        extra={"model": scorer.spec.name, "version": scorer.spec.version},
    )
    logger.info("%s", knows_line(detector.sensor_table))
    return detector, partial(decision_rules, scorer.spec, scorer.calibration, settings.state)


def _build_pipeline(
    settings: Settings, detector: Detector, connections: Connections, resources: ExitStack, heartbeat: Heartbeat
) -> Pipeline:
    """Build the pipeline on these connections. Progress within a step also updates the heartbeat."""
    executor = resources.enter_context(ThreadPoolExecutor(1, "storing"))
    bounds = LagBounds(settings.redis.max_lag_readings, settings.redis.max_lag_seconds)

    def on_progress() -> None:
        heartbeat.beat(time.monotonic())

    state = open_state(
        connections.store,
        detector,
        time.monotonic,
        secrets.token_bytes,
        retry_seconds=bounds.retry_seconds,
        executor=executor,
        on_progress=on_progress,
    )
    return build_pipeline(
        _ports(settings, detector, connections, state),
        dead_letter_limit(settings.dead_letters),
        pipeline_config(settings),
        restore_config(detector.model, settings, detector.slowest_interval_ms),
        time.monotonic,
        bounds=bounds,
        on_progress=on_progress,
    )


def _ports(settings: Settings, detector: Detector, connections: Connections, state: StateAccess) -> Ports:
    return Ports(
        source=connections.source,
        sink=connections.sink,
        decoder=JsonDecoder(detector.model.features, input_limits(settings.input, detector.model)),
        detector=detector,
        state=state,
        incidents=KafkaIncidentLog(settings.kafka),
    )
