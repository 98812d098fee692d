from __future__ import annotations

import math

import numpy as np
import pytest
from keras import ops

from stream_detector.model.static_covariates import Fleet, fit_fleet
from stream_detector.readings import Float32Array

FLEET = Fleet(np.array([10.0], np.float32), np.array([2.0], np.float32), np.array([3.0], np.float32))


def of(*values: float) -> Float32Array:
    return np.array(values, np.float32)[:, np.newaxis]


def test_what_is_typical_is_zero_and_the_rest_is_by_spreads_and_by_ratio() -> None:
    covariates = FLEET.covariates(of(10.0, 14.0, 10.0), of(3.0, 3.0, 3.0 * math.e**2))

    # two spreads off: tanh(2 / 2); e squared times as large: tanh(2 / 2)
    assert covariates == pytest.approx(np.array([[0.0, 0.0], [math.tanh(1.0), 0.0], [0.0, math.tanh(1.0)]]), abs=1e-6)


def test_covariates_are_bounded_however_odd_a_sensor_is_and_the_graph_computes_the_same() -> None:
    location, deviation = of(1e30, -1e30, 11.0), of(1e-9, 3e38, 2.0)

    covariates = FLEET.covariates(location, deviation)
    in_graph = FLEET.covariates(ops.convert_to_tensor(location), ops.convert_to_tensor(deviation), ops)

    assert (np.abs(covariates) <= 1.0).all()
    assert ops.convert_to_numpy(in_graph) == pytest.approx(covariates, abs=1e-6)


def test_a_fleet_has_the_mean_place_its_spread_and_the_typical_deviation() -> None:
    fleet = fit_fleet(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32), np.array([0.5, 0.25], np.float32))

    assert fleet.location.tolist() == [2.0, 5.0]
    assert fleet.spread.tolist() == [1.0, 0.25]  # no smaller than one sensor's own deviation
    assert fleet.deviation.tolist() == [0.5, 0.25]
