"""Sensors' records made by hand or by the tests' small detector, and a store that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from stream_detector.detection.detector import Detector
from stream_detector.detection.silence import SilenceRules
from stream_detector.inspection.judge import Judge, Model
from stream_detector.ports import PartitionMeta, Updates
from stream_detector.readings import Readings
from stream_detector.state.codec.encode import encode
from stream_detector.state.record_layout import Records, WindowShape, layout_name, new_records
from stream_detector.state.running_scale import ScaleConfig
from tests.fakes.memory_store import MemoryStore
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline.replica_config import MODEL, SECOND_MS, START_MS, ReplicaConfig

EPOCH = b"epoch-01"
LAYOUT = layout_name(MODEL.window_length, MODEL.features, len(MODEL.members))
SILENCES = SilenceRules(least_ms=5_000, least_readings=1)


def model(config: ReplicaConfig) -> Model:
    """Return what the detector of a configuration judges by, with levels that stay where they are."""
    rules = replace(config.rules(), level_shift_limit=0.0, provisional_shift_limit=0.0, start_rise_limit=0.0)
    scales = ScaleConfig(config.sensors(), np.arange(2, 4, dtype=np.float32), config.learned_count)
    shape = WindowShape(config.model.features, config.model.window_length)
    return Model(shape, len(config.model.members), rules, scales)


def judge(of: Model | None = None, silences: SilenceRules | None = None) -> Judge:
    """Return the judge of the tests' layout."""
    found = Judge.of(LAYOUT, of, silences)
    assert found is not None
    return found


def detector(config: ReplicaConfig, scorer: ChecksumScorer, sensor: str) -> Detector:
    """Return a detector that has never read this sensor."""
    made = config.detector(scorer)
    made.use_rules(model(config).rules)
    assert made.arena.make_room(1)
    made.admit_new(0, [sensor])
    return made


def readings(sensor: str, values: list[tuple[float, float]], times_s: list[int] | None = None) -> Readings:
    """Return readings of one sensor, a second apart."""
    count = len(values)
    seconds = np.arange(count) if times_s is None else np.array(times_s)
    times_ms = START_MS + seconds.astype(np.int64) * SECOND_MS
    offsets = np.arange(count, dtype=np.int64)
    return Readings([sensor] * count, np.zeros(count, np.int32), offsets, times_ms, np.array(values, np.float32))


def record(**fields: object) -> Records:
    """Return a record [1] of a sensor with a full window and these fields of its header."""
    made = new_records(1, MODEL.window_length, len(MODEL.features), len(MODEL.members))
    of_header = {"filled": 3, "count": 9, "last_time_ms": START_MS, "last_offset": 8, "interval_ms": 1000.0, **fields}
    for name, value in of_header.items():
        made["header"][name] = value
    return made


def stored(records: Mapping[str, Records]) -> dict[str, bytes]:
    """Return records as the store has them."""
    return {name: encode(one)[0] for name, one in records.items()}


def store_with(records: Mapping[str, Records], layout: str = LAYOUT, note: str = "") -> MemoryStore:
    """Return a store with one partition, 0, at position 10."""
    store = MemoryStore()
    store.begin(0, PartitionMeta(9, EPOCH, layout, "topic", ""))
    store.persist(0, EPOCH, 9, 10, Updates(whole=stored(records), note=note))
    return store
