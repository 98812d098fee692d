"""The baselines' scores and thresholds, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.evaluation.baselines import BASELINES, LEAST_TRAINING_ROWS, detect
from stream_detector.evaluation.windowed_pca import fit_windowed_pca
from stream_detector.readings import Float64Array


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def training(rows: int = 100) -> Float64Array:
    """Return two features; the fitted part, the first 70 %, alternates between -1 and 1, and between 8 and 12."""
    return np.tile([[-1.0, 8.0], [1.0, 12.0]], (rows // 2, 1))


def test_robust_z_is_the_largest_distance_from_a_median_in_deviations() -> None:
    # medians 0 and 10; median absolute deviations 1 and 2, times 1.4826
    values = np.array([[0.0, 10.0], [3.0, 10.0], [3.0, 2.0], [np.nan, 11.0], [np.nan, np.nan]])

    found = detect("robust z-score", training(), values, random())

    assert found.scores * 1.4826 == pytest.approx([0.0, 3.0, 4.0, 0.5, 0.0])


def test_where_half_of_the_values_are_equal_the_deviation_is_taken() -> None:
    flag = np.zeros((100, 1))
    flag[:70:10] = 1.0  # 7 of the fitted 70: deviation .3

    found = detect("robust z-score", flag, np.array([[0.6], [0.0]]), random())

    assert found.scores == pytest.approx([2.0, 0.0])


def test_last_difference_is_the_largest_change_in_units_of_the_usual_change() -> None:
    # usual changes: 2 and 4
    values = np.array([[0.0, 10.0], [1.0, 10.0], [1.0, 4.0], [np.nan, 4.0], [5.0, 4.0]])

    found = detect("last difference", training(), values, random())

    assert found.scores == pytest.approx([0.0, 0.5, 1.5, 0.0, 0.0])


def test_windowed_pca_is_fitted_to_the_first_part() -> None:
    rows = random().normal(size=(200, 2)).cumsum(axis=0)
    values = random().normal(size=(50, 2))

    found = detect("windowed PCA", rows, values, random())

    assert found.scores == pytest.approx(fit_windowed_pca(rows[:140], 32, 0.9).score(values))


def test_random_scores_are_those_of_the_generator() -> None:
    values = np.zeros((500, 2))

    found = detect("random", training(), values, random())

    assert found.scores.tolist() == random().random(600)[100:].tolist()
    assert np.array_equal(detect("random", training(), values, random()).scores, found.scores)


def test_the_threshold_is_a_quantile_of_the_part_that_was_not_fitted() -> None:
    rows = np.zeros((1000, 1))
    rows[:700:2] = 2.0  # median 1, deviation 1.4826
    rows[700:, 0] = 1.0 + 1.4826 * np.arange(300)  # scores 0 .. 299

    found = detect("robust z-score", rows, np.array([[1.0 + 1.4826 * 297.0], [1.0 + 1.4826 * 298.0]]), random())

    assert found.thresholds == pytest.approx([0.995 * 299] * 2)  # 297.505
    assert found.alarms.tolist() == [False, True]


@pytest.mark.parametrize("name", BASELINES)
def test_constant_and_missing_features_give_numbers(name: str) -> None:
    rows = np.column_stack([np.full(LEAST_TRAINING_ROWS, 5.0), np.full(LEAST_TRAINING_ROWS, np.nan)])

    found = detect(name, rows, rows + 1.0, random())

    assert np.isfinite(found.scores).all()
    assert np.isfinite(found.thresholds).all()


@pytest.mark.parametrize("name", ["windowed PCA", "robust z-score", "last difference"])
def test_baselines_are_causal(name: str) -> None:
    rows, values = random().normal(size=(100, 2)), np.random.default_rng(1).normal(size=(60, 2))

    whole, prefix = (detect(name, rows, some, random()).scores for some in (values, values[:40]))

    assert prefix == pytest.approx(whole[:40])
