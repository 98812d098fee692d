"""From errors to surprises, and from an alarm budget to a margin: tails worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.detection.calibration import Calibration, Tails, alarms_per_reading
from stream_detector.state.known_sensors import SensorTable
from tests.fakes.sensor_table import no_sensors

#: Two members: the median error is a surprise of ln 2, the 90 % quantile one of ln 10.
TAILS = Tails(
    knots=np.array([[-1.0, 0.0, 1.0], [-3.0, 0.0, 2.0]]),
    surprises=np.array([0.0, math.log(2.0), math.log(10.0)]),
    scales=np.array([0.5, 2.0]),
)
TAIL = Calibration(
    members=("a", "b"),
    weights=np.array([0.5, 0.5]),
    tails=TAILS,
    pooled_level=np.array([-1.0, 1.0]),
    typical=1.0,
    tail_start=2.0,
    tail_rate=0.02,
    tail_scale=0.5,
    tail_shape=0.25,
    readings=10_000,
    sensors=no_sensors(features=1, members=2),
    prior_count=64.0,
)

# -- surprises


def test_a_surprise_at_a_knot_is_the_knots() -> None:
    assert TAILS.surprise(TAILS.knots.T) == pytest.approx(np.repeat(TAILS.surprises[:, np.newaxis], 2, axis=1))


def test_between_knots_a_surprise_is_on_the_line_between_them() -> None:
    (found,) = TAILS.surprise(np.array([[-0.5, 1.0]]))

    assert found == pytest.approx([math.log(2.0) / 2, (math.log(2.0) + math.log(10.0)) / 2])


def test_beyond_the_last_knot_a_surprise_grows_by_one_per_scale() -> None:
    (found,) = TAILS.surprise(np.array([[1.0 + 3 * 0.5, 2.0 + 3 * 2.0]]))

    assert found == pytest.approx([math.log(10.0) + 3.0] * 2)


def test_an_error_below_the_first_knot_has_no_surprise_and_nan_stays_nan() -> None:
    (found,) = TAILS.surprise(np.array([[-1e9, np.nan]]))

    assert found[0] == 0.0
    assert math.isnan(found[1])


@given(errors=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)).map(sorted))
def test_a_greater_error_is_at_least_as_surprising(errors: list[float]) -> None:
    less, more = TAILS.surprise(np.repeat(np.array(errors)[:, np.newaxis], 2, axis=1))

    assert np.isfinite(more).all()
    assert (less >= 0.0).all()
    assert (less <= more).all()


# -- levels


def test_a_sensor_starts_between_its_level_and_the_fleets_by_how_many_readings_are_behind_it() -> None:
    sensors = SensorTable(
        rows={"often": 0, "never": 1},
        location=np.zeros((2, 1), np.float32),
        deviation=np.ones((2, 1), np.float32),
        levels=np.array([[3.0, 5.0], [100.0, 100.0]]),
        counts=np.array([192.0, 0.0]),
    )

    levels = replace(TAIL, sensors=sensors).start_levels()

    # (3 * 192 - 1 * 64) / 256 and (5 * 192 + 1 * 64) / 256; without readings, and last: the fleet's
    assert levels == pytest.approx(np.array([[2.0, 4.0], [-1.0, 1.0], [-1.0, 1.0]]))


def test_a_model_that_knows_no_sensor_starts_all_from_the_fleets_level() -> None:
    assert TAIL.start_levels().tolist() == [[-1.0, 1.0]]


# -- from a budget to a margin


def test_the_margin_inverts_the_tail() -> None:
    # rate(x) = 0.02 * (1 + 0.25 (x - 2) / 0.5) ** -4; at x = 4 that is 0.02 * 2 ** -4
    assert TAIL.margin(0.02 / 16) == pytest.approx(4.0)


def test_a_tail_of_shape_zero_is_exponential() -> None:
    exponential = replace(TAIL, tail_shape=0.0)

    assert exponential.margin(0.02 / math.e) == pytest.approx(2.5)
    assert replace(TAIL, tail_shape=2e-6).margin(0.002) == pytest.approx(exponential.margin(0.002), rel=1e-4)


def test_a_bounded_tail_has_no_margin_beyond_its_end() -> None:
    bounded = replace(TAIL, tail_shape=-0.5)  # ends at 2 + 0.5 / 0.5

    assert bounded.margin(0.02 / 4) == pytest.approx(2.5)  # 0.02 * (1 - x) ** 2 = 0.005 at x = 0.5
    assert bounded.margin(1e-12) == pytest.approx(3.0, abs=1e-4)


@pytest.mark.parametrize("rate", [0.02, 0.5, 100.0])
def test_more_alarms_than_the_tail_has_excesses_give_its_start(rate: float) -> None:
    assert TAIL.margin(rate) == 2.0


@given(
    shape=st.floats(-0.9, 0.9),
    rates=st.tuples(st.floats(1e-12, 1.0), st.floats(1e-12, 1.0)).map(sorted),
)
def test_fewer_alarms_need_a_margin_at_least_as_great(shape: float, rates: list[float]) -> None:
    tail = replace(TAIL, tail_shape=shape)

    rare, frequent = (tail.margin(rate) for rate in rates)

    assert math.isfinite(rare)
    assert rare >= frequent >= 2.0


def test_a_budget_per_day_is_spread_over_the_readings_of_a_day() -> None:
    assert alarms_per_reading(0.1, 60.0) == pytest.approx(0.1 / 1440)
