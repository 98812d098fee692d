"""What the model expected of a sensor's rows, for the picture of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from stream_detector.detection.scorer import WindowErrors
from stream_detector.evaluation.baselines import Detection
from stream_detector.evaluation.expected_values import MOST_FEATURES, Expected, expected_values
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.running_scale import Scales
from tests.state.test_sensor_names import table

ROWS, WINDOW = 40, 4
FEATURES = ("flow", "pressure", "temperature")


@dataclass(frozen=True, slots=True)
class OneBehind:
    """Expects of each value that of the row before, and blames the last feature."""

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        assert len(windows) == len(scales.location)
        blame = np.array([[0.0, 0.1, 0.9]], np.float32)
        even = np.full((1, WINDOW), 1.0 / WINDOW, np.float32)
        return [WindowErrors(even[0], np.roll(one, 1, axis=0), blame, even, np.zeros(3, np.bool_)) for one in windows]


@dataclass(frozen=True, slots=True)
class Known:
    sensors: Any


def series(alarms: BoolArray, sensor: str = "pump-1") -> LabelledSeries:
    scores = np.ones(ROWS)
    scores[: WINDOW - 1] = np.nan
    return LabelledSeries(
        sensor=sensor,
        times_ms=1000 * np.arange(ROWS, dtype=np.int64),
        values=np.arange(ROWS * 3, dtype=np.float64).reshape(ROWS, 3),
        labels=alarms,
        is_late=np.arange(ROWS) == 10,
        is_warming=np.arange(ROWS) < WINDOW - 1,
        product=Detection(scores, np.full(ROWS, 2.0), alarms, alarms),
    )


def asked(one: LabelledSeries) -> Expected | None:
    model: Any = OneBehind()
    known: Any = Known(table("pump-1"))
    return expected_values(model, known, one, FEATURES, WINDOW)


def test_scored_rows_get_the_newest_expected_values_and_late_rows_are_in_no_window() -> None:
    found = asked(series(np.zeros(ROWS, np.bool_)))

    assert found is not None
    assert found.rows.tolist() == [row for row in range(WINDOW - 1, ROWS) if row != 10]
    before = [row - 1 if row != 11 else 9 for row in found.rows.tolist()]
    assert found.values[:, 0].tolist() == [3.0 * row for row in before]


def test_rows_whose_window_is_not_full_are_not_asked_about() -> None:
    """After a gap, the rows before do not belong to the window."""
    after_a_gap = np.arange(ROWS) >= 20
    after_a_gap[20 + WINDOW - 1 :] = False

    found = asked(replace(series(np.zeros(ROWS, np.bool_)), is_partial=after_a_gap))

    assert found is not None
    assert not set(found.rows.tolist()) & set(range(20, 20 + WINDOW - 1))


def test_the_features_that_an_alarm_blames_come_first() -> None:
    alarms = np.zeros(ROWS, np.bool_)
    alarms[20:25] = True

    found = asked(series(alarms))

    assert found is not None
    assert found.features == (("temperature", 2), ("pressure", 1))


def test_a_context_feature_is_never_the_one_that_is_off_in_a_missed_fault() -> None:
    labels = np.zeros(ROWS, np.bool_)
    labels[30:35] = True
    values = np.ones((ROWS, 3))
    values[30:35:2, 0], values[30:35:2, 1] = 9.0, 5.0
    one = replace(series(np.zeros(ROWS, np.bool_)), values=values, labels=labels)
    model: Any = OneBehind()
    known: Any = Known(table("pump-1"))

    found = expected_values(model, known, one, FEATURES, WINDOW, is_scored=np.array([False, True, True]))

    assert found is not None
    assert found.of_missed == {1}
    assert ("pressure", 1) in found.features


@dataclass(frozen=True, slots=True)
class BlamesInTurn:
    """Blames a little of every feature, and most another one at each row."""

    features: int

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        assert len(windows) == len(scales.location)
        even, none = np.full((1, WINDOW), 1.0 / WINDOW, np.float32), np.zeros(self.features, np.bool_)
        shares = np.full((len(windows), 1, self.features), 0.1, np.float32)
        shares[np.arange(len(windows)), 0, np.arange(len(windows)) % self.features] = 0.12
        return [WindowErrors(even[0], one, share, even, none) for one, share in zip(windows, shares, strict=True)]


@pytest.mark.parametrize(("features", "left_out"), [(3, 0), (MOST_FEATURES, 0), (MOST_FEATURES + 2, 2)])
def test_every_feature_that_an_alarm_blames_is_drawn_up_to_a_bound_that_is_told(features: int, left_out: int) -> None:
    names = tuple(f"f{number}" for number in range(features))
    rows = 2 * features
    model: Any = BlamesInTurn(features)
    known: Any = Known(table("pump-1"))
    one = replace(
        series(np.ones(ROWS, np.bool_)),
        times_ms=1000 * np.arange(rows, dtype=np.int64),
        values=np.zeros((rows, features)),
        is_late=np.zeros(rows, np.bool_),
        product=Detection(np.ones(rows), np.full(rows, 0.5), np.ones(rows, np.bool_), np.ones(rows, np.bool_)),
        labels=np.ones(rows, np.bool_),
    )

    found = expected_values(model, known, one, names, WINDOW)

    assert found is not None
    assert {name for name, _ in found.features} <= set(names)
    assert (len(found.features), found.left_out) == (features - left_out, left_out)


def test_nothing_is_expected_of_a_sensor_that_the_model_does_not_know() -> None:
    assert asked(series(np.zeros(ROWS, np.bool_), "other")) is None
