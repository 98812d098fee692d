"""The linear members against what numpy says by another way: singular values for components, least squares for forecasts."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from stream_detector.model.linear_members import CHANGE, FORECAST, PCA, LinearMember, LinearSpec, fit_linear, linear_specs
from stream_detector.readings import Float32Array

LENGTHS = (2, 3, 8, 32, 64)


def waves(count: int, window_length: int, features: int = 2, seed: int = 0) -> Float32Array:
    """Return windows [N, T, F] of sines of other phases, with noise."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0.0, 6.0, (count, 1, 1)) + np.arange(window_length)[:, np.newaxis] / 2.0 + np.arange(features)
    return (np.sin(phase) + rng.normal(0.0, 0.2, (count, window_length, features))).astype(np.float32)


def residuals_of_components(rows: Float32Array) -> Float32Array:
    """Return what the components that keep 90 % of the variance leave of rows [N, R, F]."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    kept = np.cumsum(singular**2) / (singular**2).sum()
    basis = vectors[: int((kept < 0.9).sum()) + 1]
    left: Float32Array = (centred - centred @ basis.T @ basis).reshape(rows.shape).astype(np.float32)
    return left


def fit_one(spec: LinearSpec, windows: Float32Array) -> LinearMember:
    (member,) = fit_linear(windows, [spec])
    return member


def errors(member: LinearMember, windows: Float32Array) -> Float32Array:
    actual, expected = member.expect(windows)
    return np.asarray(actual - expected)


def test_the_members_of_a_window_of_64_are_over_8_32_and_64_rows() -> None:
    assert [(spec.name, spec.rows_read) for spec in linear_specs(64)] == [
        ("pca-8", 8),
        ("pca-64", 64),
        ("forecast-1", 32),
        ("forecast-8", 32),
        ("forecast-32", 64),
        ("change-32", 32),
    ]


@pytest.mark.parametrize(
    ("window_length", "names"),
    [
        (2, ["pca-2", "forecast-1"]),
        (3, ["pca-2", "pca-3", "forecast-1", "forecast-2", "change-2"]),
        (8, ["pca-2", "pca-8", "forecast-1", "forecast-4", "change-4"]),
        (32, ["pca-4", "pca-32", "forecast-1", "forecast-4", "forecast-16", "change-16"]),
    ],
)
def test_short_windows_have_each_member_once(window_length: int, names: list[str]) -> None:
    assert [spec.name for spec in linear_specs(window_length)] == names


@pytest.mark.parametrize("window_length", LENGTHS)
def test_no_member_reads_beyond_the_window_and_each_says_as_many_rows_as_it_claims(window_length: int) -> None:
    windows = waves(20, window_length)
    specs = linear_specs(window_length)
    assert len({spec.name for spec in specs}) == len(specs)

    for member in fit_linear(windows, specs):
        spec = member.spec
        actual, expected = member.expect(windows)
        rows_read = {PCA: spec.rows_predicted, FORECAST: spec.rows_read, CHANGE: spec.rows_predicted + 1}[spec.kind]
        older = windows.copy()
        older[:, : window_length - rows_read] += 100.0

        assert 1 <= spec.rows_predicted <= rows_read <= window_length
        assert actual.shape == expected.shape == (20, spec.rows_predicted, 2)
        assert errors(member, older).tobytes() == errors(member, windows).tobytes()


def test_pca_errs_by_what_its_components_leave() -> None:
    windows = waves(60, 6)

    assert errors(fit_one(LinearSpec(PCA, 6, 6), windows), windows) == pytest.approx(residuals_of_components(windows), abs=1e-5)


def test_pca_of_the_newest_rows_errs_by_what_their_components_leave() -> None:
    windows = waves(60, 6)

    member = fit_one(LinearSpec(PCA, 2, 2), windows)

    assert errors(member, windows) == pytest.approx(residuals_of_components(windows[:, -2:]), abs=1e-5)


def test_a_change_is_from_one_row_to_the_next() -> None:
    windows = waves(60, 6)

    member = fit_one(LinearSpec(CHANGE, 3, 3), windows)

    changes = np.diff(windows[:, -4:], axis=1)
    assert member.expect(windows)[0] == pytest.approx(changes)
    assert errors(member, windows) == pytest.approx(residuals_of_components(changes), abs=1e-5)


def test_a_forecast_is_the_ridge_regression_of_the_newest_rows_on_those_before() -> None:
    windows = waves(60, 6).astype(np.float64)
    inputs, outputs = (rows.reshape(60, -1) for rows in (windows[:, 1:4], windows[:, 4:]))
    inputs, targets = inputs - inputs.mean(axis=0), outputs - outputs.mean(axis=0)
    # Ridge regression is least squares with rows that ask each weight to be 0, here by 0.1 per window.
    wish = np.sqrt(0.1 * 60) * np.eye(6)
    weights, *_ = np.linalg.lstsq(np.concatenate([inputs, wish]), np.concatenate([targets, np.zeros((6, 4))]), rcond=None)

    member = fit_one(LinearSpec(FORECAST, 5, 2), windows.astype(np.float32))

    left = (targets - inputs @ weights).reshape(60, 2, 2)
    assert errors(member, windows.astype(np.float32)) == pytest.approx(left, abs=1e-5)


@pytest.mark.parametrize("window_length", [3, 8])
def test_the_graph_computes_the_same(window_length: int) -> None:
    windows, others = waves(40, window_length), waves(5, window_length, seed=1)

    for member in fit_linear(windows, linear_specs(window_length)):
        in_graph = member.expect(ops.convert_to_tensor(others), ops)
        for one, other in zip(in_graph, member.expect(others), strict=True):
            assert ops.convert_to_numpy(one) == pytest.approx(other, abs=1e-5)


def test_equal_windows_give_equal_members() -> None:
    first, second = (fit_linear(waves(40, 8), linear_specs(8)) for _ in range(2))

    for one, other in zip(first, second, strict=True):
        assert one.spec == other.spec
        for ours, theirs in zip((one.input_mean, *one.matrices), (other.input_mean, *other.matrices), strict=True):
            assert ours.tobytes() == theirs.tobytes()


def test_constant_windows_are_expected_and_a_jump_is_not() -> None:
    windows = np.full((30, 8, 2), 3.0, np.float32)
    jump = windows[:1].copy()
    jump[0, -1, 0] = 5.0

    for member in fit_linear(windows, linear_specs(8)):
        assert np.abs(errors(member, windows)).max() < 1e-5
        assert np.isfinite(errors(member, jump)).all()
    forecast = fit_one(LinearSpec(FORECAST, 4, 1), windows)
    assert errors(forecast, jump) == pytest.approx(np.array([[[2.0, 0.0]]]), abs=1e-5)


def test_fewer_windows_than_inputs_are_enough() -> None:
    windows, others = waves(5, 8, features=3), waves(4, 8, features=3, seed=1)

    for member in fit_linear(windows, linear_specs(8)):
        assert np.isfinite(errors(member, others)).all()
        assert np.square(errors(member, windows)).mean() < np.square(errors(member, others)).mean()


def test_a_basis_is_bounded_however_many_inputs_there_are() -> None:
    noise = np.random.default_rng(0).normal(size=(600, 64, 5)).astype(np.float32)

    member = fit_one(LinearSpec(PCA, 64, 64), noise)

    assert [matrix.shape for matrix in member.matrices] == [(320, 200), (200, 320)]
