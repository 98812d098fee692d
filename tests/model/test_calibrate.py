from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_detector.model.calibrate import cluster_excesses, fit_calibration, fit_tail
from stream_detector.readings import Float32Array

SCORES = arrays(np.float32, st.integers(1, 300), elements=st.floats(0.0, 2.0**100, width=32))
RATES = [10.0**-power for power in range(9)]


def lognormal(readings: int, seed: int, level: float = 0.0) -> Float32Array:
    return np.exp(np.random.default_rng(seed).normal(level, 0.5, readings)).astype(np.float32)


def test_exceedances_close_to_each_other_are_one_cluster_of_the_largest() -> None:
    values = np.array([0.0, 3.0, 5.0, 0.0, 4.0, 0.0, 0.0, 0.0, 2.0])

    # 5 and 4 lie two readings apart, 4 and 2 four: with 2 quiet readings the first three are one cluster.
    assert cluster_excesses(values, 1.0, quiet_readings=2).tolist() == [4.0, 1.0]
    assert cluster_excesses(values, 9.0, quiet_readings=2).tolist() == []


def test_the_exponential_tail_has_the_mean_excess() -> None:
    assert fit_tail(np.array([0.5, 1.0, 1.5])) == (1.0, 0.0)


def test_without_excesses_and_with_thin_ones_the_tail_has_its_least_scale() -> None:
    assert fit_tail(np.empty(0)) == (0.2, 0.0)
    assert fit_tail(np.array([0.001, 0.002])) == (0.2, 0.0)


def test_with_many_excesses_the_shape_is_found() -> None:
    uniform = np.random.default_rng(0).random(4000)
    excesses = 2.0 / 0.1 * (uniform**-0.1 - 1.0)  # generalised Pareto, scale 2, shape 0.1

    scale, shape = fit_tail(excesses)

    assert scale == pytest.approx(2.0, rel=0.1)
    assert shape == pytest.approx(0.1, abs=0.06)


def test_the_shape_is_bounded() -> None:
    heavy = 1.0 / np.random.default_rng(0).random(500)

    assert fit_tail(heavy)[1] == 0.2


def test_levels_are_mean_logs_and_differing_levels_do_not_widen_the_tail() -> None:
    quiet, loud = lognormal(4000, 1, level=-2.0), lognormal(4000, 2, level=3.0)

    both = fit_calibration({"quiet": quiet, "loud": loud}, quiet_readings=1)
    alone = fit_calibration({"quiet": quiet}, quiet_readings=1)

    assert both.sensors["quiet"].mean == pytest.approx(-2.0, abs=0.05)
    assert both.sensors["loud"].mean == pytest.approx(3.0, abs=0.05)
    assert both.pooled_level == pytest.approx(0.5, abs=0.05)
    assert both.readings == 8000
    assert both.margin(1e-4) == pytest.approx(alone.margin(1e-4), rel=0.25)


def test_the_margin_keeps_to_the_rate_it_was_asked_for() -> None:
    calibration = fit_calibration({"a": lognormal(20_000, 3)}, quiet_readings=1)
    later = np.log(lognormal(200_000, 4))

    rate = np.mean(later > calibration.sensors["a"].mean + calibration.margin(1e-3))

    assert rate == pytest.approx(1e-3, rel=0.4)


def test_readings_without_a_score_are_left_out() -> None:
    scores = np.array([1.0, np.nan, 1.0], np.float32)

    calibration = fit_calibration({"a": scores, "silent": np.array([np.nan], np.float32)}, quiet_readings=1)

    assert calibration.readings == 2
    assert set(calibration.sensors) == {"a"}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), SCORES, min_size=1), st.integers(1, 40))
def test_margins_are_finite_and_never_fall_as_the_budget_shrinks(scores: dict[str, Float32Array], quiet: int) -> None:
    calibration = fit_calibration(scores, quiet)

    margins = [calibration.margin(rate) for rate in RATES]

    assert all(math.isfinite(margin) for margin in margins)
    assert margins == sorted(margins)
