"""Which windows are chosen to check explanations, and what the check returns, for a model that looks at the newest row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.scorer import WindowErrors
from stream_detector.evaluation.explanation_check import MOST_WINDOWS, ExplanationChecks, check_explanations
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset

LENGTH = 4
FEATURES = ("a", "b")


class NewestRow:
    """A Scorer with one member, whose error is the sum of the newest row; it expects zeros and explains by that row."""

    def __init__(self) -> None:
        self.explained: list[Float32Array] = []

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See Scorer."""
        assert len(scales.location) == len(windows)
        return lambda: np.asarray(windows[:, -1].sum(axis=1, keepdims=True))

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See Scorer."""
        assert len(scales.location) == len(windows)
        self.explained.append(windows)
        step_share = np.eye(LENGTH, dtype=np.float32)[-1:]
        return [
            WindowErrors(
                attention=np.full(LENGTH, 1.0 / LENGTH, np.float32),
                expected=np.zeros_like(window),
                feature_share=(window[-1:] / window[-1].sum()).astype(np.float32),
                step_share=step_share,
                imputed=np.zeros(len(FEATURES), np.bool_),
            )
            for window in windows
        ]


def calibration(*known: str) -> Calibration:
    count = len(known)
    return Calibration(
        members=("newest-row",),
        weights=np.ones(1),
        tails=Tails(np.array([[0.0, 1.0]]), np.array([0.0, 1.0]), np.ones(1)),
        pooled_level=np.zeros(1),
        typical=0.0,
        tail_start=1.0,
        tail_rate=0.1,
        tail_scale=1.0,
        tail_shape=0.0,
        readings=100,
        sensors=SensorTable(
            {name: row for row, name in enumerate(known)},
            np.zeros((count, 2), np.float32),
            np.ones((count, 2), np.float32),
            np.zeros((count, 1)),
            np.full(count, 10.0),
        ),
    )


def dataset(sensors: int, rows: int) -> Dataset:
    """Return sensors in turn; feature a is 9 and b 1 throughout."""
    count = sensors * rows
    return Dataset(
        features=FEATURES,
        sensors=tuple(f"s{number}" for number in range(sensors)),
        codes=np.tile(np.arange(sensors, dtype=np.int32), rows),
        times_ms=np.repeat(np.arange(rows, dtype=np.int64), sensors),
        values=np.tile(np.array([[9.0, 1.0]], np.float32), (count, 1)),
        rows=np.arange(count, dtype=np.int64),
    )


def test_the_shares_win_over_chance_where_they_are_right() -> None:
    data = dataset(1, 40)
    scores = np.arange(40.0)

    checks = check_explanations(NewestRow(), calibration("s0"), data, scores, window_length=LENGTH, seed=0)

    found = checks.explanations
    assert found is not None
    assert checks.attention is None
    # One of eight cells is replaced: the 9 of the newest row, of a surprise of 10.
    assert found["shares"]["blamed_fall"] == pytest.approx(9.0)
    assert found["shares"]["random_fall"] < 5.0
    assert found["step_shares"]["blamed_fall"] == pytest.approx(10.0)


def test_the_windows_are_of_the_highest_scores_and_do_not_overlap() -> None:
    scorer, data = NewestRow(), dataset(1, 40)
    data.values[:, 0] = np.arange(40.0)
    scores = np.full(40, np.nan)
    scores[[10, 20, 21, 22, 39]] = [1.0, 5.0, 7.0, 6.0, 3.0]

    check_explanations(scorer, calibration("s0"), data, scores, window_length=LENGTH, seed=0)

    assert scorer.explained[0][:, -1, 0].tolist() == [21.0, 39.0, 10.0]
    assert scorer.explained[0][0, :, 0].tolist() == [18.0, 19.0, 20.0, 21.0]


def test_sensors_that_the_model_does_not_know_are_left_out_and_no_more_windows_taken_than_needed() -> None:
    scorer, data = NewestRow(), dataset(2, 600)
    scores = np.where(np.arange(len(data)) < 2 * (LENGTH - 1), np.nan, 1.0)  # windows fill at first

    check_explanations(scorer, calibration("s1"), data, scores, window_length=LENGTH, seed=0)

    assert len(scorer.explained[0]) == MOST_WINDOWS
    assert check_explanations(scorer, calibration(), data, scores, window_length=LENGTH, seed=0) == ExplanationChecks()


def test_without_scores_nothing_is_judged() -> None:
    data = dataset(1, 8)

    scores = np.full(8, np.nan)

    assert check_explanations(NewestRow(), calibration("s0"), data, scores, window_length=LENGTH, seed=0) == ExplanationChecks()
