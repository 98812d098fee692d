"""Offline scoring of a dataset, row by row, with the code of the stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.events import read_event
from stream_detector.evaluation.offline_scoring import score_dataset
from stream_detector.readings import Message, Readings
from stream_detector.tables.dataset import Dataset
from tests.fakes.scorer import checksum_error
from tests.pipeline.replica_config import MODEL, SECOND_MS, START_MS, ReplicaConfig


def dataset(sensors: int, rows: int) -> Dataset:
    """Return readings of sensors in turn, a second apart."""
    codes = np.arange(rows, dtype=np.int32) % sensors
    values = np.stack([np.arange(rows), np.arange(rows) % 7], axis=1).astype(np.float32)
    times_ms = START_MS + np.arange(rows, dtype=np.int64) * SECOND_MS
    names = tuple(f"s{number}" for number in range(sensors))
    return Dataset(MODEL.features, names, codes, times_ms, values, np.arange(rows, dtype=np.int64))


def mixed(sensors: int, rows: int, seed: int = 1) -> Dataset:
    """Return rows of several sensors in random order; a few are late, follow a gap, or lack a value."""
    random = np.random.default_rng(seed)
    steps_ms = random.choice([SECOND_MS, -SECOND_MS, 0, 3 * SECOND_MS, 120 * SECOND_MS], rows, p=[0.8, 0.05, 0.05, 0.05, 0.05])
    values = random.normal(0.0, 1.0, (rows, len(MODEL.features))).astype(np.float32)
    values[random.random(values.shape) < 0.05] = np.nan
    return Dataset(
        features=MODEL.features,
        sensors=tuple(f"s{number}" for number in range(sensors)),
        codes=random.integers(0, sensors, rows).astype(np.int32),
        times_ms=START_MS + np.cumsum(steps_ms),
        values=values,
        rows=np.arange(rows),
    )


def test_each_row_is_scored_by_the_window_that_ends_with_it() -> None:
    plant = ReplicaConfig(known=("s0", "s1"))
    detector = plant.detector()
    detector.use_rules(replace(plant.rules(), level_shift_limit=0.0, memory_share=0.0))

    (scored,) = score_dataset(detector, dataset(2, 8))

    values = dataset(2, 8).values
    errors = [checksum_error(values[[row - 4, row - 2, row]].tolist(), plant.scales_of(f"s{row % 2}")) for row in range(4, 8)]
    assert np.isnan(scored.score[:4]).all()  # warming: windows are of three readings
    assert scored.score[4:].tolist() == [(error + 0.5) / 2 for error in errors]  # all remembered errors are typical: 0.5
    assert np.isnan(scored.threshold[:4]).all()
    assert scored.threshold[4:].tolist() == [(0.75 + 0.5) / 2] * 4
    assert scored.is_anomaly[4:].tolist() == [error > 0.75 for error in errors]
    assert not scored.is_anomaly[:4].any()


def test_a_row_is_anomalous_if_and_only_if_its_score_is_above_its_threshold() -> None:
    (scored,) = score_dataset(ReplicaConfig(accept_ms=20 * SECOND_MS).detector(), mixed(sensors=4, rows=1000))

    assert 50 < scored.is_anomaly.sum() < 500
    assert scored.is_anomaly.tolist() == (scored.score > scored.threshold).tolist()


def test_sensors_that_the_model_does_not_know_are_scored_too() -> None:
    (scored,) = score_dataset(ReplicaConfig(known=()).detector(), dataset(2, 8))

    assert np.isnan(scored.score).tolist() == [True] * 4 + [False] * 4


def test_a_file_may_have_more_sensors_than_an_arena_has_at_first() -> None:
    scored = list(score_dataset(ReplicaConfig(max_sensors=3000, max_gap_ms=10_000_000).detector(), dataset(3000, 9000)))

    assert [len(part.score) for part in scored] == [4096, 4096, 808]
    assert np.isnan(np.concatenate([part.score for part in scored])).tolist() == [True] * 6000 + [False] * 3000


def test_sensors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="3 sensors do not fit into an arena of 2"):
        next(score_dataset(ReplicaConfig(max_sensors=2).detector(), dataset(3, 3)))


def test_a_late_row_has_no_score_and_leaves_no_trace() -> None:
    table = dataset(1, 8)
    late = replace(table, times_ms=table.times_ms.copy())
    late.times_ms[5] = table.times_ms[2]

    (scored,), (without,) = (
        score_dataset(ReplicaConfig().detector(), one) for one in (late, table.take(np.delete(np.arange(8), 5)))
    )

    assert np.isnan(scored.score[5])
    assert scored.is_late.tolist() == [False] * 5 + [True] + [False] * 2
    assert scored.is_warming.tolist() == [True] * 2 + [False] * 6
    assert not scored.is_anomaly[5]
    assert np.array_equal(np.delete(scored.score, 5), without.score, equal_nan=True)


def test_after_a_gap_a_sensor_is_warming_again() -> None:
    table = dataset(1, 8)
    table.times_ms[4:] += 3_600 * SECOND_MS

    (scored,) = score_dataset(ReplicaConfig().detector(), table)

    assert np.flatnonzero(scored.is_warming).tolist() == [0, 1, 4, 5]
    assert np.array_equal(np.isnan(scored.score), scored.is_warming)
    assert not scored.is_late.any()


def test_with_a_stride_the_rows_between_have_no_score() -> None:
    (scored,) = score_dataset(ReplicaConfig(stride=5, margin=100.0).detector(), dataset(1, 40))

    at = np.flatnonzero(~np.isnan(scored.score))
    assert np.diff(at).tolist() == [5] * (len(at) - 1)
    assert len(at) >= 7


def test_a_table_longer_than_a_batch_is_scored_as_if_it_were_one() -> None:
    table = mixed(sensors=3, rows=9000)
    detector = ReplicaConfig().detector()
    detector.admit_new(0, table.sensors)
    sensors = [table.sensors[code] for code in table.codes]

    detected = detector.detect(Readings(sensors, np.zeros(9000, np.int32), np.arange(9000), table.times_ms, table.values))

    expected = np.full(9000, np.nan)
    assert detected.decisions is not None
    expected[detected.appended.reading] = detected.decisions.scores
    found = np.concatenate([part.score for part in score_dataset(ReplicaConfig().detector(), table)])
    assert np.array_equal(found, expected, equal_nan=True)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 300), stride=st.sampled_from([1, 3]))
def test_a_prefix_is_scored_as_the_whole(seed: int, cut: int, stride: int) -> None:
    plant, table = ReplicaConfig(stride=stride), mixed(sensors=4, rows=300, seed=seed)

    (whole,), (prefix,) = (score_dataset(plant.detector(), one) for one in (table, table.take(np.arange(cut))))

    assert np.isfinite(whole.score).sum() > 10
    assert np.array_equal(prefix.score, whole.score[:cut], equal_nan=True)
    assert np.array_equal(prefix.threshold, whole.threshold[:cut], equal_nan=True)
    assert np.array_equal(prefix.is_anomaly, whole.is_anomaly[:cut])


def test_a_sensor_that_is_silent_at_the_end_is_an_event_like_one_that_returns() -> None:
    readings = dataset(3, 300)
    falls_silent = readings.take((readings.codes != 0) | (readings.rows < 150))
    returns = readings.take((readings.codes != 0) | (readings.rows < 150) | (readings.rows >= 270))

    def opened(of: Dataset) -> list[tuple[str, str, str]]:
        messages: list[Message] = []
        list(score_dataset(ReplicaConfig(margin=50.0, silent_s=20).detector(), of, messages.extend))
        events = [read_event(message.value or b"") for message in messages]
        return [(event.event_id, event.sensor_id, event.timestamp) for event in events if event.status == "opened"]

    assert [sensor for _, sensor, _ in opened(falls_silent)] == ["s0"]
    assert opened(falls_silent) == opened(returns)
    assert opened(readings) == []
