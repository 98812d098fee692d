"""A stored window, and its score, against the detector that stored it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.inspection.scored_window import Scored, score_window
from stream_detector.inspection.window import StoredWindow, stored_window
from stream_detector.readings import Float32Array, Readings
from tests.fakes.scorer import ChecksumScorer
from tests.inspection.records import detector, judge, model, readings, record
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig

CONFIG = ReplicaConfig(margin=0.3, start_rise_limit=0.0)
NAN = float("nan")
_VALUES = st.lists(st.tuples(st.sampled_from([NAN, 0.0, 1.5, 7.0]), st.sampled_from([0.0, 2.0, 3.5])), min_size=1, max_size=12)


def shown(
    config: ReplicaConfig, scorer: ChecksumScorer, sensor: str, of: Readings
) -> tuple[StoredWindow, Scored | None, float, float, Float32Array]:
    """Return the window and the score from the record, and score, threshold and window of the detector's last decision."""
    made = detector(config, scorer, sensor)
    detected = made.detect(of)
    records = made.arena.copy_records(made.arena.held(0))
    table_rows = config.sensors().find([sensor])
    window = stored_window(records)
    scored = score_window(scorer, model(config), judge(model(config)).as_of_model(records, table_rows), table_rows, window)
    decisions, last = detected.decisions, int(np.argmax(detected.appended.reading))
    assert decisions is not None
    of_detector = detected.appended.timed_windows(np.array([last]))[0]
    return window, scored, float(decisions.scores[last]), float(decisions.thresholds[last]), of_detector


@pytest.mark.parametrize("sensor", ["a", "stranger"])
@given(values=_VALUES)
def test_the_score_of_a_stored_window_is_that_of_its_newest_reading(sensor: str, values: list[tuple[float, float]]) -> None:
    window, scored, score, threshold, of_detector = shown(CONFIG, ChecksumScorer(), sensor, readings(sensor, values))

    assert np.array_equal(window.values, of_detector, equal_nan=True)
    if np.isnan(score):
        assert scored is None
    else:
        assert scored is not None
        assert scored.score == pytest.approx(score, abs=1e-6)
        assert scored.threshold == pytest.approx(threshold, abs=1e-6)


@given(values=_VALUES)
def test_windows_of_few_rows_are_scored_as_the_detector_does(values: list[tuple[float, float]]) -> None:
    config = ReplicaConfig(margin=0.3, start_rise_limit=0.0, scores_partial=True)
    _, scored, score, _, _ = shown(config, ChecksumScorer(), "a", readings("a", values))

    assert (scored is None) == bool(np.isnan(score))
    if scored is not None:
        assert scored.score == pytest.approx(score, abs=1e-6)


def test_shares_of_features_and_readings_sum_to_1_and_each_feature_has_an_expected_value() -> None:
    values = [(1.0, 2.0), (2.0, 3.0), (4.0, 1.0), (3.0, 2.0)]
    _, scored, _, _, _ = shown(CONFIG, ChecksumScorer(), "a", readings("a", values))

    assert scored is not None
    assert (scored.feature_share.sum(), scored.step_share.sum()) == (pytest.approx(1.0), pytest.approx(1.0))
    assert scored.expected.shape == (3, 2)
    assert np.isfinite(scored.expected).all()


def test_the_times_of_a_full_window_are_those_of_its_readings() -> None:
    of = readings("a", [(1.0, 2.0)] * 5, [0, 1, 2, 4, 5])
    window, _, _, _, _ = shown(CONFIG, ChecksumScorer(), "a", of)

    assert ((window.times_ms - START_MS) // SECOND_MS).tolist() == [2, 4, 5]
    assert window.is_row.all()


def test_before_the_first_reading_of_a_window_there_are_no_rows() -> None:
    window, _, _, _, _ = shown(CONFIG, ChecksumScorer(), "a", readings("a", [(1.0, 2.0), (2.0, 3.0)]))

    assert window.is_row.tolist() == [False, True, True]
    assert np.isnan(window.values[0]).all()
    assert window.rows == 2


def test_a_sensor_whose_window_is_empty_has_no_rows_and_no_score() -> None:
    records = record(filled=0)
    window = stored_window(records)

    assert not window.is_row.any()
    assert score_window(ChecksumScorer(), model(CONFIG), records, np.array([0], np.int32), window) is None
