"""What `run` watches with: a model, or, while there is none, the built-in one; and how the second becomes the first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial

from stream_detector.assembly import (
    TrainedScorer,
    build_detector,
    decision_rules,
    input_assembly,
    input_limits,
    input_parsing,
)
from stream_detector.built_in.members import LENGTH
from stream_detector.commands.built_in_start import start_built_in
from stream_detector.commands.collector import collector_paused
from stream_detector.commands.connections import Connections
from stream_detector.commands.input_payload import build_decoder, reader_of
from stream_detector.commands.model_start import start_scorer
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detector import Detector
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules_only import NO_MODEL, RulesOnly
from stream_detector.errors import RetriableError
from stream_detector.gate.promotion import promotion_warning
from stream_detector.logs import OutageLog
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.candidate import LEARNED_KEY
from stream_detector.model_store.model_directory import is_absent, load_artifact
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.feature_search import find_shape
from stream_detector.ports import Decoder
from stream_detector.service.watchdog import Heartbeat
from stream_detector.settings.schema import AlertSettings, RuleSettings, Settings
from stream_detector.state.record_layout import WindowShape

logger = logging.getLogger(__name__)

#: How often a topic without readings, and a directory without a model, are looked at again.
LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A detector and its decoder, and how its decision rules follow from settings."""

    detector: Detector
    decoder: Decoder
    rules_of: Callable[[AlertSettings, RuleSettings], DecisionRules]
    has_model: bool  # of the plant's own

    @property
    def is_scored(self) -> bool:
        """Whether anything is scored, by a model of the plant's own or by the built-in one."""
        return self.detector.model.name != NO_MODEL


@dataclass(frozen=True, slots=True)
class Loading:
    """A model that was read, and is warmed up in another thread."""

    spec: ModelSpec
    warm: Future[Watched]

    def wait(self) -> Watched:
        """Wait until it is warm. Raises ModelError."""
        return self.warm.result()


def begin_to_load(settings: Settings, executor: Executor) -> Loading:
    """Read the model, and begin to warm it up, which takes seconds. Raises ModelError, also if the settings refuse the model.

    Meanwhile the start can connect. But the model is warm before the replica joins the group, so that a slow start delays no
    rebalance.
    """
    artifact = _read_model(settings)
    return Loading(artifact.spec, executor.submit(_warm_up, artifact, settings))


def load_model(settings: Settings) -> Watched:
    """Read the model and warm it up, which takes seconds. Raises ModelError, also if the settings refuse the model."""
    return _warm_up(_read_model(settings), settings)


def _read_model(settings: Settings) -> Artifact:
    artifact = load_artifact(settings.model.directory)
    if warning := promotion_warning(artifact.report, settings.model.refuse_unpromoted):
        logger.warning("model %s %s: %s", artifact.spec.name, artifact.spec.version, warning)
    return artifact


def _warm_up(artifact: Artifact, settings: Settings) -> Watched:
    """Compile a model. One that `run` learned ignores the features that it left out: nobody chose them."""
    with collector_paused(keep=True):
        scorer = start_scorer(artifact, settings)
    spec = scorer.spec
    return Watched(
        build_detector(scorer, settings.state, settings.alerts, settings.rules, input_assembly(settings.input)),
        build_decoder(
            reader_of(settings),
            spec.features,
            input_limits(settings.input, spec, ignores_unknown=bool(artifact.report.get(LEARNED_KEY))),
        ),
        partial(decision_rules, spec, scorer.calibration, settings.state, healthy=scorer.healthy),
        has_model=True,
    )


def without_model(settings: Settings, shape: WindowShape) -> Watched:
    """Watch windows of this shape with the built-in model, or with the rules only, as the settings say.

    The built-in model reads windows of one length. Other features are ignored until they are taken up.
    """
    if settings.model.built_in and shape.window_length != LENGTH:
        text = "the stored windows have %d readings, and the built-in model reads %d: only the rules watch"
        logger.warning(text, shape.window_length, LENGTH)
    scorer: TrainedScorer = start_built_in(settings, shape) or RulesOnly(shape)
    return Watched(
        build_detector(scorer, settings.state, settings.alerts, settings.rules, input_assembly(settings.input)),
        topic_decoder(settings, shape.features),
        partial(decision_rules, scorer.spec, scorer.calibration, settings.state, healthy=scorer.healthy),
        has_model=False,
    )


def topic_decoder(settings: Settings, features: Sequence[str]) -> Decoder:
    """Return what decodes readings of these features without a model. Other features are ignored."""
    return build_decoder(reader_of(settings), tuple(features), input_limits(settings.input, ignores_unknown=True))


def shape_now(settings: Settings, connections: Connections) -> WindowShape | None:
    """Return what windows hold without a model; None if that is not known, because no reading was sent."""
    return find_shape(
        connections.source,
        connections.store,
        input_parsing(settings.input).missing,
        reader_of(settings),
        given=settings.model.features,
        also=(*settings.rules.limits, *settings.rules.units),
    )


def await_watched(
    settings: Settings, connections: Connections, heartbeat: Heartbeat, check: Callable[[], None] = no_op
) -> Watched:
    """Wait until sensors have sent a reading, which shows the features, or there is a model. `check` may end the wait.

    Nothing is read as a member of the group meanwhile, and the signals that stop the process end it at once.
    """
    outage = OutageLog(logger, time.monotonic, "the input topic can be read")
    while is_absent(settings.model.directory):
        check()
        try:
            shape = shape_now(settings, connections)
            outage.ended()
        except RetriableError as error:
            outage.failed("which features sensors send cannot be looked up now: %s", error)
            shape = None
        if shape is not None:
            return without_model(settings, shape)
        heartbeat.beat(time.monotonic())
        time.sleep(LOOK_SECONDS)
    return load_model(settings)
