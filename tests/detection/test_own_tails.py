"""The tails of a sensor that no training saw, worked out by hand; one member."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream_detector.detection.own_tails import FIRST_READINGS, LEAST_SCALE, LEAST_VARIANCE, OwnTails
from stream_detector.state.record_layout import Records, new_records

OWN = OwnTails(np.array([4.0]), start=1.0, scale=0.5)
YES, NO = np.ones(1, np.bool_), np.zeros(1, np.bool_)
MOST = 2_000.0


def new_state(count: float = 0.0) -> Records:
    state = new_records(1, 64, 1, 1)["header"].copy()
    state["level_count"] = count
    return state


def follow(state: Records, above: float, excess: float, *, calm: bool = True) -> Records:
    OWN.follow(state, np.array([[above]]), np.array([excess]), scored=YES, calm=YES if calm else NO, most=MOST)
    return state


def test_a_sensor_starts_with_the_models_tails_and_its_own_first_error() -> None:
    state = new_state()

    OWN.begin(state, np.array([[-3.0]]), np.array([1.0]))

    assert state["shift"][0, 0] == pytest.approx(-4.0)  # its level is -3
    assert OWN.deviations(state) == pytest.approx(2.0)
    assert OWN.margins(state, np.array([0.001])) == pytest.approx(1.0 + 0.5 * math.log(100.0))


def test_a_missing_first_error_begins_nothing() -> None:
    state = new_state()

    OWN.begin(state, np.array([[math.nan]]), np.array([1.0]))

    assert not state["shift"].any()


def test_the_level_moves_by_at_most_a_deviation_over_the_count() -> None:
    assert follow(new_state(9.0), 1.0, 0.0)["shift"][0, 0] == pytest.approx(0.1)
    assert follow(new_state(9.0), 50.0, 0.0)["shift"][0, 0] == pytest.approx(0.2)
    assert follow(new_state(9.0), 1.0, 0.0)["level_count"] == 10.0


def test_the_variance_is_a_mean_that_starts_as_of_a_hundred_readings_and_counts_three_deviations_at_most() -> None:
    first, later = follow(new_state(0.0), 10.0, 0.0), follow(new_state(100.0), 10.0, 0.0)

    assert np.square(OWN.deviations(first)) == pytest.approx(4.0 + (100.0 - 4.0) / 100.0)
    assert np.square(OWN.deviations(later)) == pytest.approx(4.0 + (36.0 - 4.0) / 200.0)


def test_an_excess_raises_start_and_scale_and_its_absence_lowers_the_start() -> None:
    over, under = follow(new_state(500.0), 0.0, 2.0), follow(new_state(500.0), 0.0, 0.0)
    rates = np.array([0.001])

    scale = 0.5 + (1.0 - 0.5) / 70.0
    assert OWN.margins(over, rates) == pytest.approx(1.0 + 5.0 * 0.9 / 1000.0 + scale * math.log(100.0), rel=1e-5)
    assert OWN.margins(under, rates) == pytest.approx(1.0 - 5.0 * 0.1 / 1000.0 + 0.5 * math.log(100.0), rel=1e-5)


def test_the_start_of_the_tail_is_what_a_tenth_of_the_readings_exceed() -> None:
    state = new_state(MOST)
    for excess in np.random.default_rng(1).exponential(0.3, 20_000).tolist():
        follow(state, 0.0, excess)

    (at_start,) = OWN.margins(state, np.array([1.0]))
    (margin,) = OWN.margins(state, np.array([0.001]))
    assert at_start == pytest.approx(0.3 * math.log(10.0), rel=0.2)
    assert margin == pytest.approx(0.3 * math.log(1000.0), rel=0.2)


def test_a_wild_excess_counts_as_five_scales() -> None:
    assert follow(new_state(500.0), 0.0, 1e9)["shift"][0, 3] == pytest.approx((2.5 - 0.5) / 70.0)


def test_an_open_incident_teaches_nothing_but_in_the_first_readings() -> None:
    early, late = (
        follow(new_state(FIRST_READINGS - 1), 1.0, 9.0, calm=False),
        follow(new_state(FIRST_READINGS), 1.0, 9.0, calm=False),
    )

    assert early["shift"][0, 0] > 0
    assert not early["shift"][0, 2:].any()
    assert not late["shift"].any()
    assert late["level_count"] == FIRST_READINGS


def test_a_machine_that_stands_keeps_a_least_deviation_and_scale() -> None:
    state = new_state(MOST)
    for _ in range(30_000):
        follow(state, 0.0, -0.9)

    assert np.square(OWN.deviations(state)) == pytest.approx(LEAST_VARIANCE)
    assert OWN.margins(state, np.array([0.001])) == pytest.approx(0.5 * math.log(100.0))  # no excess: the scale is the model's


def test_a_tail_that_is_hardly_there_keeps_a_least_scale() -> None:
    state = new_state(MOST)
    for excess in [0.0, *[0.0] * 8, 1e-3] * 2_000:
        follow(state, 0.0, excess)

    (margin,) = OWN.margins(state, np.array([0.1e-3]))
    assert margin == pytest.approx(LEAST_SCALE * 0.5 * math.log(1000.0), rel=0.02)


def test_a_rate_that_the_sensor_shows_gives_the_start_of_the_tail() -> None:
    assert OWN.margins(new_state(), np.array([0.5])) == pytest.approx(1.0)
