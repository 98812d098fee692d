"""From an alarm budget to a margin: the tail of a generalised Pareto distribution, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.calibration import SCORE_OFFSET, Calibration, alarms_per_reading, log_score, raw_score

TAIL = Calibration(
    tail_start=2.0, tail_rate=0.02, tail_scale=0.5, tail_shape=0.25, pooled_level=-1.0, readings=10_000, prior_count=64.0
)


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


def test_a_rate_is_resolved_when_the_data_would_have_had_one_event() -> None:
    assert TAIL.resolves(1e-4)
    assert not TAIL.resolves(0.99e-4)


def test_a_budget_per_day_is_spread_over_the_readings_of_a_day() -> None:
    assert alarms_per_reading(0.1, 60.0) == pytest.approx(0.1 / 1440)


def test_a_perfect_score_has_a_logarithm_and_no_score_has_none() -> None:
    logs = log_score(np.array([0.0, 1.0 - SCORE_OFFSET, np.nan]))

    assert logs[:2] == pytest.approx([math.log(1e-6), 0.0], abs=1e-12)
    assert math.isnan(logs[2])


def test_a_raw_score_is_what_its_logarithm_was_taken_of() -> None:
    scores = np.array([0.0, 1e-3, 1.0, 1e6])

    assert raw_score(log_score(scores)) == pytest.approx(scores, rel=1e-9, abs=1e-12)
