from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops

from stream_detector.model.input_scaling import fill, mean_and_deviation, scale, unscale
from stream_detector.readings import Float32Array

NAN = np.float32(np.nan)
LARGEST_FLOAT = float(np.finfo(np.float32).max)


def single(*values: float) -> Float32Array:
    """Return location or deviation [1, F] of one window."""
    return np.array([values], np.float32)


def test_a_missing_value_is_the_last_one_before_it_or_else_the_sensors_mean() -> None:
    window = np.array([[[NAN, 1.0], [2.0, NAN], [NAN, 3.0], [5.0, 6.0]]], np.float32)

    filled, present = fill(window, single(7.0, 8.0))

    assert filled.tolist() == [[[7.0, 1.0], [2.0, 1.0], [2.0, 3.0], [5.0, 6.0]]]
    assert present.tolist() == [[[False, True], [True, False], [False, True], [True, True]]]
    assert np.isnan(window[0, 0, 0])


def test_each_window_is_filled_by_its_own_values_and_its_own_sensor() -> None:
    windows = np.array([[[1.0, 1.0], [2.0, 2.0]], [[NAN, 0.0], [3.0, 0.0]], [[NAN, NAN], [NAN, NAN]]], np.float32)

    filled, _ = fill(windows, np.array([[7.0, 0.0], [8.0, 0.0], [9.0, 0.0]], np.float32))

    assert filled[:, :, 0].tolist() == [[1.0, 2.0], [8.0, 3.0], [9.0, 9.0]]


def test_rows_without_any_value_lie_on_the_line_between_those_around_and_repeat_one_at_an_end() -> None:
    columns = [NAN, 1.0, NAN, NAN, 4.0, NAN, 0.0, NAN], [NAN, 2.0, NAN, NAN, NAN, NAN, 6.0, NAN]
    window = np.array(columns, np.float32).T[np.newaxis]

    filled, present = fill(window, single(7.0, 8.0))

    assert filled[0, :, 0].tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 2.0, 0.0, 0.0]
    assert filled[0, :, 1].tolist() == [2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 6.0, 6.0]
    assert present.sum() == 5


def test_scaling_is_near_linear_in_the_middle_and_logarithmic_far_out() -> None:
    scaled = scale(np.array([[[10.0], [12.0], [2010.0]]], np.float32), single(10.0), single(2.0))

    # z = 0, 1, 1000: 5 asinh(0.2) = 0.993451; 5 asinh(200) = 29.95733
    assert scaled[0, :, 0] == pytest.approx([0.0, 0.993451, 29.95733], rel=1e-5)


def test_each_window_is_on_the_scale_of_its_own_sensor() -> None:
    windows = np.array([[[10.0, 1.0]], [[40.0, 1.0]]], np.float32)
    location, deviation = np.array([[8.0, 0.0], [20.0, 1.0]], np.float32), np.array([[2.0, 1.0], [20.0, 5.0]], np.float32)

    # z = 1, 1 in the first; 1, 0 in the second
    assert scale(windows, location, deviation) == pytest.approx(np.array([[[0.993451, 0.993451]], [[0.993451, 0.0]]]), rel=1e-5)


@given(arrays(np.float32, (3, 4, 2), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_every_finite_reading_stays_finite_and_numpy_and_the_graph_agree(values: Float32Array) -> None:
    location = np.tile(single(0.5, -3e38), (3, 1))
    deviation = np.tile(single(1e-9, 2.0), (3, 1))

    scaled = scale(values, location, deviation)
    in_graph = scale(ops.convert_to_tensor(values), ops.convert_to_tensor(location), ops.convert_to_tensor(deviation), ops)

    assert np.isfinite(scaled).all()
    assert ops.convert_to_numpy(in_graph) == pytest.approx(scaled, rel=1e-5, abs=1e-6)


def test_a_reading_farther_off_than_numbers_go_is_cut() -> None:
    window = np.array([[[LARGEST_FLOAT]]], np.float32)

    scaled = scale(window, single(-LARGEST_FLOAT), single(1.0))

    assert scaled[0, 0, 0] == pytest.approx(5.0 * np.arcsinh(1e30 / 5.0))


def test_unscale_undoes_scale() -> None:
    values, location, deviation = np.array([[[61.0, 2.0], [80.0, 9.0]]], np.float32), single(60.0, 3.0), single(5.0, 0.5)

    assert unscale(scale(values, location, deviation), location, deviation) == pytest.approx(values, rel=1e-5)


def test_mean_and_deviation_are_of_the_values_that_are_there() -> None:
    mean, deviation = mean_and_deviation(np.array([[1.0, 10.0], [3.0, NAN], [NAN, 30.0]], np.float32))

    assert mean.tolist() == [2.0, 20.0]
    assert deviation.tolist() == [1.0, 10.0]


def test_a_feature_that_varies_by_its_rounding_only_does_not_vary() -> None:
    values = np.array([[1000.0, 5.0, 1000.0], [1000.0, 5.0, 1001.0], [1000.0003, 5.0, 1000.0]], np.float32)

    mean, deviation = mean_and_deviation(values)

    assert mean == pytest.approx([1000.0001, 5.0, 1000.333], rel=1e-6)
    assert deviation == pytest.approx([0.0, 0.0, 2**0.5 / 3], rel=1e-3)


@pytest.mark.parametrize("offset", [101_325.0, -273_150.0, 400_000.0])
def test_a_small_variation_beside_a_large_value_looks_as_without_that_value(offset: float) -> None:
    plain = np.random.default_rng(0).normal(0.0, 0.5, (1000, 1))
    large = (offset + plain).astype(np.float32)

    mean, deviation = mean_and_deviation(large)
    plain_mean, plain_deviation = mean_and_deviation(plain)
    without = scale(plain[np.newaxis].astype(np.float32), plain_mean[np.newaxis], plain_deviation[np.newaxis])

    assert mean == pytest.approx([offset + plain.mean()], abs=0.02)
    assert deviation == pytest.approx(plain.std(axis=0), rel=0.01)
    assert scale(large[np.newaxis], mean[np.newaxis], deviation[np.newaxis]) == pytest.approx(without, abs=0.08)


def test_without_values_mean_and_deviation_are_zero() -> None:
    for values in (np.full((4, 1), NAN), np.empty((0, 1), np.float32)):
        mean, deviation = mean_and_deviation(values)

        assert (mean.tolist(), deviation.tolist()) == ([0.0], [0.0])


def test_the_largest_numbers_there_are_have_a_finite_deviation() -> None:
    mean, deviation = mean_and_deviation(np.array([[LARGEST_FLOAT], [-LARGEST_FLOAT]], np.float32))

    assert (mean.tolist(), deviation.tolist()) == ([0.0], [LARGEST_FLOAT])
