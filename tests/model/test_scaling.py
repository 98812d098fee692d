from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops

from stream_detector.model.scaling import Scaler, fit_scaler
from stream_detector.readings import Float32Array

NAN = np.float32(np.nan)


def test_mean_and_deviation_are_of_the_values_that_are_there() -> None:
    scaler = fit_scaler(np.array([[1.0, 10.0], [3.0, NAN], [NAN, 30.0]], np.float32))

    assert scaler.mean.tolist() == [2.0, 20.0]
    assert scaler.deviation.tolist() == [1.0, 10.0]


def test_a_constant_column_is_centred_and_not_blown_up() -> None:
    rounding = np.array([[1000.0], [1000.0], [1000.01]], np.float32)  # below 1e-4 of its size

    scaler = fit_scaler(rounding)

    assert scaler.deviation.tolist() == [1.0]
    assert np.abs(scaler.scale(rounding)).max() < 0.02


def test_a_column_without_values_is_left_as_it_is() -> None:
    scaler = fit_scaler(np.full((4, 1), NAN))

    assert (scaler.mean.tolist(), scaler.deviation.tolist()) == ([0.0], [1.0])


def test_scaling_is_near_linear_in_the_middle_and_logarithmic_far_out() -> None:
    scaler = Scaler(np.array([10.0], np.float32), np.array([2.0], np.float32))

    scaled = scaler.scale(np.array([[10.0], [12.0], [2010.0]], np.float32))

    # z = 0, 1, 1000: 5 asinh(0.2) = 0.993451; 5 asinh(200) = 29.95733
    assert scaled[:, 0] == pytest.approx([0.0, 0.993451, 29.95733], rel=1e-5)


@given(
    arrays(
        np.float32,
        (3, 4, 2),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_every_finite_reading_stays_finite_and_numpy_and_the_graph_agree(values: Float32Array) -> None:
    scaler = Scaler(np.array([0.5, -3e38], np.float32), np.array([1e-9, 2.0], np.float32))

    scaled = scaler.scale(values)

    assert np.isfinite(scaled).all()
    assert ops.convert_to_numpy(scaler.scale(ops.convert_to_tensor(values), ops)) == pytest.approx(scaled, rel=1e-5, abs=1e-6)


def test_unscale_undoes_scale() -> None:
    scaler = Scaler(np.array([60.0, 3.0], np.float32), np.array([5.0, 0.5], np.float32))
    values = np.array([[61.0, 2.0], [80.0, 9.0]], np.float32)

    assert scaler.unscale(scaler.scale(values)) == pytest.approx(values, rel=1e-5)


def test_a_missing_value_is_the_last_one_before_it_or_else_the_mean() -> None:
    scaler = Scaler(np.array([7.0, 8.0], np.float32), np.ones(2, np.float32))
    window = np.array([[[NAN, 1.0], [2.0, NAN], [NAN, NAN], [5.0, 6.0]]], np.float32)

    filled, present = scaler.fill(window)

    assert filled.tolist() == [[[7.0, 1.0], [2.0, 1.0], [2.0, 1.0], [5.0, 6.0]]]
    assert present.tolist() == [[[False, True], [True, False], [False, False], [True, True]]]
    assert np.isnan(window[0, 0, 0])


def test_nothing_is_carried_from_one_window_to_the_next() -> None:
    scaler = Scaler(np.array([7.0], np.float32), np.ones(1, np.float32))

    filled, _ = scaler.fill(np.array([[[1.0], [2.0]], [[NAN], [3.0]]], np.float32))

    assert filled.tolist() == [[[1.0], [2.0]], [[7.0], [3.0]]]
