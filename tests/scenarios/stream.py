"""Runs readings through the real pipeline, on a log and a store in memory, with the service's default settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream_detector.assembly import TrainedScorer, build_detector
from stream_detector.evaluation.offline_scoring import ScoredRows, join, score_dataset
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.build import build_pipeline
from stream_detector.pipeline.config import LagBounds, PipelineConfig, RestoreConfig
from stream_detector.pipeline.pipeline import Pipeline
from stream_detector.pipeline.restore import Ports
from stream_detector.pipeline.state_access import open_state
from stream_detector.readings import Int64Array
from stream_detector.settings.schema import AlertSettings, Settings, StateSettings
from stream_detector.tables.dataset import Dataset
from tests.fakes.memory_sink import MemoryIncidentLog, MemorySink
from tests.fakes.memory_source import MemorySource
from tests.pipeline.replica_config import ALERTS, DEAD_LETTERS, GROUP, INPUT, reading
from tests.pipeline.world import World

Event = dict[str, Any]


def run_stream(scorer: TrainedScorer, dataset: Dataset, *, poll_records: int = 2000) -> list[Event]:
    """Send readings through the pipeline, at most `poll_records` per poll; return the events in order."""
    world = World()
    for code, time_ms, values in zip(dataset.codes.tolist(), dataset.times_ms.tolist(), dataset.values.tolist(), strict=True):
        sensor = dataset.sensors[code]
        present = (None if math.isnan(value) else value for value in values)
        value = reading(sensor, time_ms, *present, features=dataset.features)
        world.log.append(INPUT, 0, value, key=sensor.encode(), timestamp=time_ms)
    source = MemorySource(world.log, INPUT, GROUP)
    pipeline = _pipeline(scorer, world, source)
    while not (pipeline.is_ready and world.committed() == world.ends() and not pipeline.store_lag):
        world.clock.advance(1.0)
        source.next_limits.clear()
        source.next_limits.append(poll_records)
        pipeline.step()
    assert not world.dead_letters()
    return world.events()


def _pipeline(scorer: TrainedScorer, world: World, source: MemorySource) -> Pipeline:
    detector = build_detector(scorer, StateSettings(), AlertSettings())
    state = open_state(world.store, detector, world.clock, world.random_bytes)
    decoder = JsonDecoder(scorer.spec.features, InputLimits())
    incidents = MemoryIncidentLog(world.log, INPUT, ALERTS)
    limits = Settings().dead_letters
    return build_pipeline(
        Ports(source, MemorySink(world.log, INPUT), decoder, detector, state, incidents),
        DeadLetterLimit(limits.max_share, limits.min_count, limits.max_run),
        PipelineConfig(INPUT, ALERTS, DEAD_LETTERS),
        RestoreConfig(start="earliest"),
        world.clock,
        bounds=LagBounds(readings=1_000_000, seconds=1e9),
    )


def of(events: list[Event], sensor: str, *statuses: str) -> list[Event]:
    """Return the events of a sensor with one of these statuses; without any, all of them."""
    return [one for one in events if one["sensor_id"] == sensor and (not statuses or one["status"] in statuses)]


def scores_of(scorer: TrainedScorer, dataset: Dataset) -> dict[str, ScoredRows]:
    """Score readings with the state, scorer and decision of the stream; return the rows of each sensor."""
    detector = build_detector(scorer, StateSettings(), AlertSettings())
    rows = join(list(score_dataset(detector, dataset)))
    return {name: _take(rows, np.flatnonzero(dataset.codes == code)) for code, name in enumerate(dataset.sensors)}


def _take(rows: ScoredRows, chosen: Int64Array) -> ScoredRows:
    return ScoredRows(
        rows.score[chosen],
        rows.threshold[chosen],
        rows.is_anomaly[chosen],
        rows.is_holding[chosen],
        rows.is_late[chosen],
        rows.is_warming[chosen],
    )


def peak(rows: ScoredRows, first: int, last: int | None = None) -> float:
    """Return the largest score of readings `first` up to `last`."""
    return float(np.nanmax(rows.score[first:last]))
