"""Assembles a pipeline from its ports and its configuration."""

from __future__ import annotations

from collections.abc import Callable

from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.pipeline.assignment import Assignment
from stream_detector.pipeline.backpressure import Backpressure
from stream_detector.pipeline.committer import Committer
from stream_detector.pipeline.config import LagBounds, PipelineConfig, RestoreConfig
from stream_detector.pipeline.delivery import Delivery
from stream_detector.pipeline.executor import no_op
from stream_detector.pipeline.intake import Intake
from stream_detector.pipeline.pipeline import Pipeline, Stages
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.silences import Silences
from stream_detector.pipeline.undecoded import Undecoded


def build_pipeline(
    ports: Ports,
    limit: DeadLetterLimit,
    config: PipelineConfig,
    restore: RestoreConfig,
    clock: Callable[[], float],
    *,
    bounds: LagBounds,
    on_progress: Callable[[], None] = no_op,
) -> Pipeline:
    """Return a pipeline that has not polled yet.

    The pipeline calls `on_progress` after each part of a step, successful or not: a step may consist of many bounded waits.
    """
    assignment = Assignment(ports, restore, clock, on_progress)
    committer = Committer(ports.sink, ports.detector, limit, config, clock)
    backpressure = Backpressure(ports.source, ports.state.guard, bounds)
    delivery = Delivery(ports.state, assignment, committer, backpressure, on_progress)
    undecoded = Undecoded(ports.source, ports.decoder, backpressure, clock)
    intake = Intake(ports, assignment, delivery, undecoded, clock, on_progress=on_progress)
    silences = Silences(ports, config.input_topic, clock)
    stages = Stages(intake, assignment, committer, backpressure, delivery, silences)
    return Pipeline(ports, stages, config, on_progress=on_progress)
