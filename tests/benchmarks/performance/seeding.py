"""Fills Redis with the windows of many sensors, as if the service had read a long log, with the service's own writer.

Filling the windows of a million sensors reading by reading would take half an hour; writing their records takes seconds.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.assembly import build_detector
from stream_detector.detection.calibration import Calibration
from stream_detector.detection.detector import Detector
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.scorer import WindowErrors
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.pipeline.partition import Partition
from stream_detector.pipeline.state_access import open_state
from stream_detector.pipeline.state_writer import StateWriter
from stream_detector.pipeline.step_report import StepReport
from stream_detector.readings import Float32Array
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import AlertSettings, RedisSettings, StateSettings
from stream_detector.state.running_scale import Scales
from tests.benchmarks.performance.fleet_log import PATTERN, FleetLog

_TURNS_AT_ONCE = 32


@dataclass(slots=True)
class Unscored:
    """A model's spec and calibration without its network, for detectors that score nothing."""

    spec: ModelSpec
    calibration: Calibration
    fallback_deviation: Float32Array
    healthy: HealthyData

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer; never called."""
        raise NotImplementedError

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer; never called."""
        raise NotImplementedError


def filling_detector(model: Path) -> Detector:
    """Return a detector for one slice of sensors that fills windows and scores none."""
    artifact = load_artifact(model)
    scorer = Unscored(artifact.spec, artifact.calibration, artifact.fleet.deviation, artifact.healthy)
    return build_detector(scorer, StateSettings(max_sensors=PATTERN), AlertSettings())


def seed(model: Path, log: FleetLog, kafka: KafkaSettings, redis: RedisSettings) -> None:
    """Store the state of all sensors after their past, as read up to the second turn of the topic's one partition."""
    detector = filling_detector(model)
    with closing(RedisStore(redis, kafka.group_id, kafka.input_topic)) as store:
        state = open_state(store, detector, time.monotonic, secrets.token_bytes)
        partition = Partition(0, _topic_id(kafka))
        state.writer.begin(partition)
        partition.continue_from_stored()
        numbers = np.arange(min(PATTERN, log.count))
        state.loader.load_sensors({0: log.sensors[: len(numbers)]}, {0: partition})
        for start in range(0, log.past, _TURNS_AT_ONCE):
            detector.detect(log.past_readings(numbers, start, min(start + _TURNS_AT_ONCE, log.past)), scoring=False)
        filled = detector.arena.records[detector.arena.held(0)].copy()
        for first in range(0, log.count, PATTERN):
            _hold(detector, log.sensors[first : first + PATTERN], filled)
            partition.appended_to(partition.next + 1)
            _persist(state.writer, partition)
        partition.appended_to(log.count)
        _persist(state.writer, partition)


def _topic_id(kafka: KafkaSettings) -> str:
    with KafkaTopics(kafka) as topics:
        found = topics.describe(kafka.input_topic)
    assert found is not None
    return found.topic_id


def _hold(detector: Detector, sensors: list[str], filled: np.ndarray[tuple[int], np.dtype[np.void]]) -> None:
    """Make the arena hold only these sensors, with full windows that are not yet stored."""
    arena, count = detector.arena, len(sensors)
    arena.drop(0)
    arena.next_batch()
    assert arena.make_room(count)
    table_rows = np.full(count, -1, np.int32)
    arena.insert(0, sensors, filled[:count], np.zeros(count, np.bool_), table_rows)
    arena.mark_changed(np.sort(arena.held(0)), np.full(count, detector.model.window_length))


def _persist(writer: StateWriter, partition: Partition) -> None:
    assert writer.persist(partition, StepReport())
