"""Windowed PCA: against hand-made windows, and against the definition by singular values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.evaluation import windowed_pca
from stream_detector.evaluation.windowed_pca import fit_windowed_pca
from stream_detector.readings import Float64Array
from tests.examples import examples


def related(rows: int, features: int, seed: int = 0) -> Float64Array:
    """Return a random walk that all features follow, each with a little noise."""
    generator = np.random.default_rng(seed)
    walk = generator.normal(size=rows).cumsum()[:, None] * generator.uniform(0.5, 2.0, features)
    return walk + generator.normal(size=(rows, features))


def by_definition(fit: Float64Array, values: Float64Array, length: int, variance: float) -> Float64Array:
    """Score by the singular values of all windows: a second, simple implementation."""
    mean, deviation = fit.mean(axis=0), fit.std(axis=0)

    def windows(of: Float64Array) -> Float64Array:
        rows = (of - mean) / deviation
        rows = np.vstack([rows[:1]] * (length - 1) + [rows])
        return np.array([rows[end : end + length].ravel() for end in range(len(of))])

    center = windows(fit).mean(axis=0)
    _, singular, directions = np.linalg.svd(windows(fit) - center, full_matrices=False)
    shares = np.cumsum(singular**2) / (singular**2).sum()
    kept = directions[: int((shares <= variance).sum()) + 1]
    rest = windows(values) - center
    return np.asarray(((rest - rest @ kept.T @ kept) ** 2).mean(axis=1))


def test_what_the_components_hold_has_no_score_and_what_they_do_not_has_its_mean_square() -> None:
    # two features that are always equal: 1, -1 alternating; deviation 1, one direction holds all
    fit = np.tile([[1.0, 1.0], [-1.0, -1.0]], (10, 1))

    pca = fit_windowed_pca(fit, window_length=1)

    assert pca.components.shape == (1, 2)
    # (3, 1) = (2, 2) along the direction + (1, -1) across it: mean of squares 1
    assert pca.score(np.array([[5.0, 5.0], [3.0, 1.0]])) == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize(("rows", "features", "length"), [(200, 3, 8), (60, 1, 32), (20, 4, 8)])
def test_equals_the_definition_with_more_windows_than_columns_and_with_fewer(rows: int, features: int, length: int) -> None:
    fit, values = related(rows, features), related(70, features, seed=1)

    score = fit_windowed_pca(fit, length).score(values)

    assert score == pytest.approx(by_definition(fit, values, length, 0.9), rel=1e-6, abs=1e-9)


def test_many_columns_are_fitted_to_fewer_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed_pca, "MAX_COVARIANCE_COLUMNS", 20)

    pca = fit_windowed_pca(related(200, 3), window_length=8)

    assert len(pca.components) < 20
    assert pca.components @ pca.components.T == pytest.approx(np.eye(len(pca.components)), abs=1e-9)


def test_a_fit_to_fewer_windows_takes_them_evenly() -> None:
    values = related(64, 2)

    every_second = fit_windowed_pca(values, window_length=1, max_windows=32)

    assert every_second.center == pytest.approx(((values - values.mean(axis=0)) / values.std(axis=0))[::2].mean(axis=0))


@given(cut=st.integers(1, 59), seed=st.integers(0, 9))
@settings(max_examples=examples(20), deadline=None)
def test_a_score_depends_on_no_later_row_and_not_on_the_chunk(cut: int, seed: int) -> None:
    pca = fit_windowed_pca(related(100, 2), window_length=8)
    values = related(60, 2, seed)

    assert pca.score(values[:cut]) == pytest.approx(pca.score(values)[:cut])


def test_a_missing_value_is_the_last_one_before_it_else_the_mean() -> None:
    pca = fit_windowed_pca(related(100, 2), window_length=4)
    values = related(10, 2, seed=3)
    values[0, 0] = pca.mean[0]
    values[5:7, 1] = values[4, 1]
    gaps = values.copy()
    gaps[0, 0] = gaps[5, 1] = gaps[6, 1] = np.nan

    assert pca.score(gaps) == pytest.approx(pca.score(values))


def test_constant_and_empty_features_have_deviation_one() -> None:
    fit = np.column_stack([np.full(50, 3e8), np.full(50, np.nan), np.arange(50.0)])

    pca = fit_windowed_pca(fit, window_length=2)

    assert pca.deviation[:2].tolist() == [1.0, 1.0]
    assert np.isfinite(pca.score(fit)).all()
    assert pca.score(fit + np.array([7.0, 0.0, 0.0])) == pytest.approx(pca.score(fit) + 7.0**2 / 3)


def test_a_constant_series_keeps_no_component_and_a_jump_scores() -> None:
    pca = fit_windowed_pca(np.full((40, 1), 5.0), window_length=4)

    assert len(pca.components) == 0
    assert pca.score(np.array([[5.0], [5.0], [7.0]])) == pytest.approx([0.0, 0.0, 1.0])  # 2**2 in one row of four


def test_nothing_scores_nothing() -> None:
    assert fit_windowed_pca(related(50, 2), 8).score(np.empty((0, 2))).shape == (0,)
