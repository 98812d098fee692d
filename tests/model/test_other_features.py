"""The regression of each feature on the others, against least squares feature by feature."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.model.linear_members import OTHERS, LinearSpec, fit_linear, linear_specs
from stream_detector.model.other_features import RIDGES, fit_other_features
from stream_detector.readings import Float32Array, Float64Array

ROWS, FEATURES = 3, 4


def machine(count: int, noise: float = 0.1, seed: int = 0) -> Float64Array:
    """Return rows [N, 3 * 4] of a machine: one load in each row, which three features follow; the fourth is on its own."""
    rng = np.random.default_rng(seed)
    load = rng.normal(0.0, 1.0, (count, ROWS, 1))
    together = load * np.array([1.0, -0.5, 2.0]) + rng.normal(0.0, noise, (count, ROWS, 3))
    return np.asarray(np.concatenate([together, rng.normal(0.0, 1.0, (count, ROWS, 1))], axis=2).reshape(count, -1) + 5.0)


def by_least_squares(rows: Float64Array, feature: int, ridge: float) -> Float64Array:
    """Return what is expected of one feature's values, by ridge regression on all values of the others."""
    own = np.arange(rows.shape[1]) % FEATURES == feature
    centred = rows - rows.mean(axis=0)
    inputs, outputs = centred[:, ~own], centred[:, own]
    wish = np.sqrt(ridge * len(rows)) * np.eye(inputs.shape[1])
    nothing = np.zeros((inputs.shape[1], outputs.shape[1]))
    weights, *_ = np.linalg.lstsq(np.concatenate([inputs, wish]), np.concatenate([outputs, nothing]), rcond=None)
    return np.asarray(inputs @ weights + rows.mean(axis=0)[own])


def test_each_feature_is_the_ridge_regression_on_the_others() -> None:
    rows = machine(300)

    fitted = fit_other_features(rows, FEATURES)

    expected = fitted.mean + (rows - fitted.mean) @ fitted.weights
    for feature in range(FEATURES):
        own = np.arange(rows.shape[1]) % FEATURES == feature
        assert expected[:, own] == pytest.approx(by_least_squares(rows, feature, fitted.ridge), abs=1e-6)


def test_no_value_is_expected_from_values_of_its_own_feature() -> None:
    weights = fit_other_features(machine(300), FEATURES).weights

    own = np.arange(len(weights)) % FEATURES
    assert not weights[own[:, np.newaxis] == own].any()


def test_the_ridge_is_small_where_features_go_together_and_large_where_rows_are_few() -> None:
    assert fit_other_features(machine(2_000, noise=0.01), FEATURES).ridge == RIDGES[0]
    alone = np.random.default_rng(1).normal(size=(40, ROWS * FEATURES))
    assert fit_other_features(alone, FEATURES).ridge == RIDGES[-1]
    assert fit_other_features(machine(3), FEATURES).ridge == RIDGES[-1]  # nothing can be held out


def windows_of(rows: Float64Array) -> Float32Array:
    return rows.reshape(len(rows), ROWS, FEATURES).astype(np.float32)


def test_a_small_shift_of_one_feature_stays_an_error_as_long_as_it_lasts() -> None:
    (member,) = fit_linear(windows_of(machine(2_000, noise=0.05)), [LinearSpec(OTHERS, ROWS, ROWS)])
    healthy = windows_of(machine(500, noise=0.05, seed=2))
    shifted = healthy.copy()
    shifted[:, :, 1] += 0.25  # half of what the load moves it by

    def distance(windows: Float32Array) -> Float64Array:
        actual, expected = member.expect(windows)
        return np.asarray(np.square(np.asarray(actual - expected, np.float64)).mean(axis=(0, 1)))

    assert distance(shifted)[1] > 10.0 * distance(healthy)[1]
    assert distance(shifted)[3] < 1.2 * distance(healthy)[3]  # the feature on its own


@pytest.mark.parametrize(("window_length", "name"), [(2, "others-2"), (8, "others-2"), (64, "others-8")])
def test_the_member_is_there_only_if_asked_for(window_length: int, name: str) -> None:
    names = [spec.name for spec in linear_specs(window_length)]

    assert name not in names
    assert [spec.name for spec in linear_specs(window_length, with_others=True)] == [*names, name]
