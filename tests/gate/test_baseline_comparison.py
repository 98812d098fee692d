"""The model against the baseline: who wins, by how much, kind by kind."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stream_detector.evaluation.windowed_pca import fit_windowed_pca
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, Quality, baseline_scores, compare_with_baseline
from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.gate.fault_kinds import DRIFT, SPIKE
from stream_detector.gate.trials import TrialLimits, plan_trials
from tests.gate.hand_made import trials_of

FINDS = [0.1, 0.2, 0.0, 9.0]
MISSES = [0.1, 9.0, 0.0, 8.0]  # the faulty row ranks second: AUC-PR 1/2


def test_a_model_that_finds_more_is_promoted_and_one_that_finds_less_is_not() -> None:
    trials = trials_of((SPIKE, 3, 4), (SPIKE, 3, 4), (DRIFT, 3, 4), (DRIFT, 3, 4), rows=4)
    better, worse = np.array([FINDS] * 4), np.array([FINDS, FINDS, MISSES, MISSES])

    won = compare_with_baseline(trials, {MODEL: better, BASELINE: worse})
    lost = compare_with_baseline(trials, {MODEL: worse, BASELINE: better})

    assert (won.promoted, lost.promoted) == (True, False)
    assert won.gain == pytest.approx(0.25)
    assert lost.gain == pytest.approx(-0.25)
    assert won.trials == {SPIKE: 2, DRIFT: 2}
    assert won.by_kind[BASELINE][DRIFT].auc_pr == pytest.approx(0.5)
    assert won.overall[BASELINE].auc_pr == pytest.approx(0.75)


def test_an_equal_model_is_promoted() -> None:
    trials = trials_of((SPIKE, 3, 4), (SPIKE, 3, 4), rows=4)
    scores = np.array([FINDS, MISSES])

    result = compare_with_baseline(trials, {MODEL: scores, BASELINE: scores})

    assert (result.promoted, result.gain, result.standard_error) == (True, 0.0, 0.0)


def test_each_number_of_a_quality_by_hand() -> None:
    # 100 healthy rows score 0, except one of 5: 1 % of them exceed 0. Faults peak at 6, and at 0.
    trials = trials_of((SPIKE, 50, 52), (SPIKE, 50, 52), rows=52)
    scores = np.zeros((2, 52))
    scores[0, 7], scores[0, 51] = 5.0, 6.0

    quality = compare_with_baseline(trials, {MODEL: scores, BASELINE: scores}).by_kind[MODEL][SPIKE]

    # first trial: 1 of 1, then 2 of 52 | second: 2 of 52
    assert quality.auc_pr == pytest.approx(((1 + 2 / 52) / 2 + 2 / 52) / 2)
    assert quality.pooled_auc_pr == pytest.approx((1 + 3 * 4 / 104) / 4)
    assert quality.pooled_roc_auc == pytest.approx((100 + 3 * 99 / 2) / 400)
    assert quality.detected == pytest.approx(0.5)


def test_a_row_that_one_has_not_scored_counts_for_none() -> None:
    trials = trials_of((SPIKE, 3, 4), (SPIKE, 3, 4), rows=4)
    model = np.array([FINDS, FINDS])
    baseline = np.array([MISSES, MISSES])
    model[:, 1] = np.nan

    result = compare_with_baseline(trials, {MODEL: model, BASELINE: baseline})

    assert result.overall[BASELINE].auc_pr == pytest.approx(1.0)


def test_a_kind_whose_faults_were_not_scored_is_left_out() -> None:
    trials = trials_of((SPIKE, 3, 4), (DRIFT, 3, 4), rows=4)
    model = np.array([FINDS, [0.1, 0.2, 0.3, np.nan]])

    result = compare_with_baseline(trials, {MODEL: model, BASELINE: np.array([MISSES, MISSES])})

    assert result.trials == {SPIKE: 1}
    assert result.gain == pytest.approx(0.5)
    assert result.standard_error is None


def test_without_trials_there_is_no_result() -> None:
    result = compare_with_baseline(plan_trials([], 16, 0), {MODEL: np.empty((0, 0)), BASELINE: np.empty((0, 0))})

    assert (result.promoted, result.gain, result.overall) == (None, None, {})
    assert json.loads(json.dumps(result.as_json(), allow_nan=False))["promoted"] is None


def test_a_result_is_json() -> None:
    trials = trials_of((SPIKE, 3, 4), (DRIFT, 3, 4), rows=4)
    scores = np.array([FINDS, MISSES])

    report = json.loads(json.dumps(compare_with_baseline(trials, {MODEL: scores, BASELINE: scores}).as_json(), allow_nan=False))

    assert report["promoted"] is True
    assert Quality(**report["by_kind"]["model"]["drift"]).auc_pr == pytest.approx(0.5)
    assert report["overall"].keys() == {"model", "windowed_pca"}


def test_the_baseline_is_fitted_to_the_healthy_values_of_each_sensor() -> None:
    generator = np.random.default_rng(0)
    sensors = [generator.normal(size=(300, 2)).cumsum(axis=0), 1000.0 + generator.normal(size=(300, 2)).cumsum(axis=0)]
    runs = [HealthyRun.of(values, values.std(axis=0), np.ones(2, np.bool_)) for values in sensors]
    trials = plan_trials(runs, 16, 0, limits=TrialLimits(trials_per_kind=2))

    scores = baseline_scores(trials, sensors)

    for number in range(len(trials)):
        expected = fit_windowed_pca(sensors[trials.runs[number]]).score(trials.values[number])
        assert scores[number] == pytest.approx(expected)
