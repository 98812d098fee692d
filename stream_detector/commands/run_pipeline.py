"""Builds the pipelines of `run` on its connections: the first, and the one that goes on when a model has arrived."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stream_detector.adapters.kafka.incident_log import KafkaIncidentLog
from stream_detector.assembly import dead_letter_limit, pipeline_config, restore_config
from stream_detector.commands.connections import Connections
from stream_detector.commands.run_model import Watched, load_model, shape_now, without_model
from stream_detector.commands.settings_options import copyable
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.ingest.feature_names import MOST_FEATURES
from stream_detector.model_store.model_directory import is_absent
from stream_detector.pipeline.build import build_pipeline
from stream_detector.pipeline.config import LagBounds
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import open_state
from stream_detector.service.metrics import Metrics
from stream_detector.service.model_arrival import Builder, ModelArrival, Successor
from stream_detector.service.reload import describe_rules, log_resolution, reread
from stream_detector.service.service import tune_garbage_collector
from stream_detector.service.watchdog import Heartbeat
from stream_detector.settings.schema import Settings
from stream_detector.state.sensor_names import knows_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pipelines:
    """Builds pipelines on the same connections, for one detector after the other."""

    settings: Settings
    connections: Connections
    executor: ThreadPoolExecutor
    heartbeat: Heartbeat

    def __call__(self, watched: Watched) -> Pipeline:
        """Build a pipeline. Progress within a step also updates the heartbeat."""
        settings, detector = self.settings, watched.detector
        bounds = LagBounds(settings.redis.max_lag_readings, settings.redis.max_lag_seconds)
        state = open_state(
            self.connections.store,
            detector,
            time.monotonic,
            secrets.token_bytes,
            retry_seconds=bounds.retry_seconds,
            executor=self.executor,
            on_progress=self._on_progress,
            memory=watched.decoder.memory,
        )
        return build_pipeline(
            Ports(
                source=self.connections.source,
                sink=self.connections.sink,
                decoder=watched.decoder,
                detector=detector,
                state=state,
                incidents=KafkaIncidentLog(settings.kafka),
            ),
            dead_letter_limit(settings.dead_letters),
            pipeline_config(settings),
            restore_config(detector.model, settings, detector.slowest_interval_ms),
            time.monotonic,
            bounds=bounds,
            on_progress=self._on_progress,
        )

    def _on_progress(self) -> None:
        self.heartbeat.beat(time.monotonic())


@dataclass(frozen=True, slots=True)
class Status:
    """Says what watches: in the log, in the metrics and on the readiness page."""

    settings: Settings
    metrics: Metrics
    heartbeat: Heartbeat
    options: Sequence[str] = ()  # with which a command finds the settings

    def show(self, watched: Watched, rules: DecisionRules) -> None:
        """Say with what the service goes on from now."""
        spec, table = watched.detector.model, watched.detector.sensor_table
        self.metrics.set_only("model", 1, spec.name, spec.version)
        self.metrics.set("rules_only", not watched.is_scored)
        self.metrics.set("built_in", watched.is_scored and not watched.has_model)
        features = ", ".join(spec.features)
        if not watched.has_model:
            self.heartbeat.restriction = no_model(self.settings, self.options, is_scored=watched.is_scored)
            logger.warning("%s. Features: %s", self.heartbeat.restriction, features, extra={"model": spec.name})
            return
        self.heartbeat.restriction = ""
        text = "model %s %s: features %s, window %d"
        extra = {"model": spec.name, "version": spec.version}
        logger.info(text, spec.name, spec.version, features, spec.window_length, extra=extra)
        logger.info("%s", knows_line(table))
        logger.info("%s", describe_rules(rules), extra={"rules": rules.rules_version})
        log_resolution(rules)


def no_model(settings: Settings, options: Sequence[str], *, is_scored: bool) -> str:
    """Say that there is no model, who watches, and what to type, with the options that find the settings."""
    return copyable(_no_model(settings, watch_of(is_scored=is_scored)), options)


def watch_of(*, is_scored: bool) -> str:
    """Return who watches without a model."""
    return "the built-in model and the rules watch" if is_scored else "only the rules watch"


def _no_model(settings: Settings, watch: str) -> str:
    directory = settings.model.directory
    if settings.learning.enabled:
        return (
            f"no model in {directory}: {watch} until one is learned from topic {settings.kafka.input_topic}. "
            f"One of your own: `stream-detector train --output {directory} --input FILE`, then send SIGHUP or restart"
        )
    return (
        f"no model in {directory}: {watch}. Train one with `stream-detector train --from-topic --output "
        f"{directory}` (or --input FILE), then send SIGHUP or restart"
    )


def waiting_for_features(settings: Settings, options: Sequence[str]) -> str:
    """Say what a start without a model waits for."""
    return (
        f"{no_model(settings, options, is_scored=settings.model.built_in)}. Waiting for the first readings in topic "
        f"{settings.kafka.input_topic}, which show the features"
    )


@dataclass(slots=True)
class Parts:
    """What an arrival builds successors of."""

    settings: Settings
    load: Callable[[], Settings]  # reads the settings again
    build: Pipelines
    status: Status
    watched: Watched  # what watches now
    on_model: Callable[[], None] = no_op  # called when a model has taken over

    def successor(self, watched: Watched) -> Successor:
        """Build what goes on with another detector."""

        def begin() -> None:
            self.watched = watched
            self.status.show(watched, rules)
            if watched.has_model:
                self.on_model()
            tune_garbage_collector()

        def rules_now() -> DecisionRules:
            return watched.rules_of(*reread(self.settings, self.load))

        rules = watched.rules_of(self.settings.alerts, self.settings.rules)
        return Successor(self.build(watched), rules, rules_now, begin)


def arrival_of(parts: Parts, executor: ThreadPoolExecutor, metrics: Metrics) -> ModelArrival:
    """Return what brings a model, or features that sensors began to send, to a service without a model."""
    settings = parts.settings

    def load() -> Builder | None:
        if is_absent(settings.model.directory):
            logger.warning("there is still no model in %s", settings.model.directory)
            return None
        watched = load_model(settings)
        return lambda: parts.successor(watched)

    def widen() -> Builder | None:
        before = parts.watched
        is_full = len(before.detector.model.features) >= MOST_FEATURES
        if before.has_model or not before.decoder.checks.met_unknown or settings.model.features or is_full:
            return None
        before.decoder.checks.met_unknown = False
        shape = shape_now(settings, parts.build.connections)
        if shape is None or set(shape.features) <= set(before.detector.model.features):
            return None
        logger.info("taking up new features: %s", ", ".join(shape.features[len(before.detector.model.features) :][:20]))
        return lambda: parts.successor(without_model(settings, shape))

    return ModelArrival(load, widen, executor, time.monotonic, metrics)
