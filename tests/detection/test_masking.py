"""No feature hides another: whatever the others do, a value that leaves raises the score without bound, and alarms."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.assembly import build_detector
from stream_detector.evaluation.offline_scoring import join, score_dataset
from stream_detector.readings import Float32Array
from stream_detector.settings.schema import AlertSettings, StateSettings
from stream_detector.training.preparation import TrainingConfig, prepare
from tests.benchmarks.bench_missing_features import LinearScorer, dataset_of

ROWS, FEATURES, DECADES = 3000, 4, range(2, 13)
#: The window, and some readings more.
SCORED = 66


def plant(rows: int, seed: int) -> Float32Array:
    """Return a pressure, a flow that follows it, a temperature between read values with kinks, and one with a heavy tail."""
    random = np.random.default_rng(seed)
    pressure = np.sin(np.arange(rows) / 9.0) + 0.2 * random.normal(size=rows)
    flow = 2.0 * pressure + 0.2 * random.normal(size=rows)
    knots = np.arange(0, rows + 60, 60)
    temperature = np.interp(np.arange(rows), knots, random.normal(size=len(knots)).cumsum() * 0.1)
    heavy = random.standard_t(1.5, rows)
    return np.column_stack([pressure, flow, temperature, heavy]).astype(np.float32)


@cache
def scorer() -> LinearScorer:
    """Return the linear members at the settings of production, for these data."""
    return LinearScorer(prepare(dataset_of(plant(ROWS, 0), 60.0), TrainingConfig()))


def last_score(values: Float32Array, budget: float) -> tuple[float, bool]:
    """Return the score of the last reading, and whether it is an anomaly."""
    detector = build_detector(scorer(), StateSettings(), AlertSettings(budget_per_sensor_day=budget))
    found = join(list(score_dataset(detector, dataset_of(values, 60.0))))
    return float(found.score[-1]), bool(found.is_anomaly[-1])


@settings(deadline=None, max_examples=12)
@given(
    feature=st.integers(0, FEATURES - 1),
    sign=st.sampled_from([-1.0, 1.0]),
    creeping=st.sampled_from([None, 0, 2]),
    seed=st.integers(1, 5),
)
def test_the_score_rises_with_a_fault_over_ten_decades_whatever_the_others_do(
    feature: int, sign: float, creeping: int | None, seed: int
) -> None:
    scores = []
    for decade in DECADES:
        values = plant(SCORED, seed)
        if creeping is not None and creeping != feature:
            values[:, creeping] += np.linspace(0.0, 2.0, SCORED)
        values[-1, feature] += sign * 10.0**decade * plant(ROWS, 0)[:, feature].std()
        scores.append(last_score(values, 0.1)[0])

    assert np.all(np.diff(scores) > 0.0)


@pytest.mark.parametrize("feature", range(FEATURES))
@pytest.mark.parametrize("budget", [0.1, 1e-6])
def test_a_value_far_beyond_what_training_showed_alarms_at_any_budget(feature: int, budget: float) -> None:
    shown = plant(ROWS, 0)[:, feature]
    values = plant(SCORED, 1)
    values[:, 2] += np.linspace(0.0, 1.0, SCORED)  # a temperature that creeps away
    values[-1, feature] = shown.max() + 100.0 * np.ptp(shown)

    assert last_score(values, budget)[1]
