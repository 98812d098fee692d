from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.sustained import after
from stream_detector.model.static_covariates import fit_fleet
from stream_detector.readings import BoolArray, Float32Array, Float64Array
from stream_detector.tables.sampling import Paces
from stream_detector.training.calibration_fit import cluster_excesses, fit_calibration, fit_excesses, fit_tails, running_means
from stream_detector.training.preparation import SensorScales
from tests.examples import examples

RATES = [10.0**-power for power in range(12)]
#: Log errors of 1 to 40 readings by two members.
LOG_ERRORS = arrays(np.float32, st.tuples(st.integers(1, 40), st.just(2)), elements=st.floats(-20.0, 200.0, width=32))


def calibrate(
    *of_sensors: Float64Array | Float32Array,
    quiet_readings: int = 1,
    weights: Sequence[float] | None = None,
    in_runs: BoolArray | None = None,
) -> Calibration:
    """Calibrate on the log errors [N, M] of sensors s-0, s-1, ..., whose location is their number."""
    members = of_sensors[0].shape[1]
    numbers = range(len(of_sensors))
    location = np.array([[float(number)] for number in numbers], np.float32)
    return fit_calibration(
        np.concatenate(of_sensors).astype(np.float32),
        np.repeat(np.arange(len(of_sensors), dtype=np.int32), [len(errors) for errors in of_sensors]),
        sensors=tuple(f"s-{number}" for number in numbers),
        scales=SensorScales(location, location + 1.0, fit_fleet(location, np.ones(1, np.float32))),
        paces=Paces(np.full(len(of_sensors), 1000.0), np.full(len(of_sensors), 2000.0)),
        members=tuple("abcdef"[:members]),
        weights=np.full(members, 1.0 / members) if weights is None else np.array(weights),
        quiet_readings=quiet_readings,
        in_runs=in_runs,
    )


def normal(readings: int, seed: int, level: float = 0.0, members: int = 2) -> Float64Array:
    return np.random.default_rng(seed).normal(level, 0.5, (readings, members))


def surprises(calibration: Calibration, sensor: int, log_errors: Float64Array) -> Float64Array:
    """Return the surprise [N] of a sensor's readings."""
    above_level = log_errors - calibration.start_levels()[sensor]
    return np.asarray((calibration.tails.surprise(above_level) * calibration.weights).sum(axis=1))


def test_training_and_the_stream_have_the_same_running_mean() -> None:
    excess = np.random.default_rng(0).normal(0.2, 1.0, 300)
    folded, mean = [], np.zeros(1)
    for one in excess:
        mean = after(mean, np.array([one]), math.inf)
        folded.append(float(mean[0]))

    np.testing.assert_allclose(running_means(excess), folded, rtol=1e-9)


def test_readings_beyond_the_runs_say_at_what_level_their_sensors_are_and_nothing_else() -> None:
    runs, other = normal(400, seed=1), normal(100, seed=2, level=3.0)
    alone = calibrate(runs)

    both = calibrate(runs, other, in_runs=np.repeat([True, False], [400, 100]))

    assert (sorted(both.sensors.rows), both.readings) == (["s-0", "s-1"], 400)
    assert both.sensors.levels[1] == pytest.approx(other.mean(axis=0), abs=1e-6)
    assert both.sensors.counts.tolist() == [400.0, 100.0]
    # The fleet's median level is half-way now, so s-0 is drawn a little towards it; what is rare is of s-0 alone.
    assert both.tails.scales == pytest.approx(alone.tails.scales, rel=0.2)
    assert both.margin(0.001) == pytest.approx(alone.margin(0.001), rel=0.1)
    assert calibrate(runs, other).margin(0.001) != both.margin(0.001)


def test_up_to_the_ninth_tenth_a_surprise_is_the_log_of_the_share_above_and_then_exponential() -> None:
    # 101 errors 0, 0.1, ..., 10: a share p lies below 10 p. Beyond 9 they are 9.1, ..., 10, on average 0.55 more.
    tails = fit_tails(np.linspace(0.0, 10.0, 101)[:, np.newaxis])

    found = tails.surprise(np.array([[-3.0], [0.0], [9.0], [9.55], [20.0]]))

    assert found[:, 0] == pytest.approx([0.0, 0.0, math.log(10), math.log(10) + 1.0, math.log(10) + 20.0])
    assert tails.scales == pytest.approx([0.55])
    assert tails.surprise(np.array([[10.0 * 0.45]]))[0, 0] == pytest.approx(-math.log(0.55))  # the knot in the middle


def test_each_member_has_a_tail_of_its_own() -> None:
    errors = np.linspace(0.0, 10.0, 101)

    tails = fit_tails(np.stack([errors, 2.0 * errors - 5.0], axis=1))

    assert tails.scales == pytest.approx([0.55, 1.1])
    assert tails.surprise(np.array([[9.55, 14.1]])) == pytest.approx(np.array([[math.log(10) + 1.0] * 2]))


@pytest.mark.parametrize("readings", [1, 5, 200])
def test_errors_that_never_differ_have_a_tail_and_greater_ones_are_surprising(readings: int) -> None:
    tails = fit_tails(np.full((readings, 1), 3.0))

    (usual,), (greater,) = tails.surprise(np.array([[3.0], [5.0]])).tolist()

    assert 0.0 <= usual <= math.log(10) + 1e-9
    assert greater == pytest.approx(math.log(10) + 2.0 / 0.2)


def test_a_reading_that_is_not_scored_has_no_surprise() -> None:
    assert np.isnan(fit_tails(normal(50, 0)).surprise(np.full((1, 2), np.nan))).all()


def test_exceedances_close_to_each_other_are_one_cluster_of_the_largest() -> None:
    values = np.array([0.0, 3.0, 5.0, 0.0, 4.0, 0.0, 0.0, 0.0, 2.0])

    # 5 and 4 lie two readings apart, 4 and 2 four: with 2 quiet readings the first three are one cluster.
    assert cluster_excesses(values, 1.0, quiet_readings=2).tolist() == [4.0, 1.0]
    assert cluster_excesses(values, 1.0, quiet_readings=4).tolist() == [4.0]
    assert cluster_excesses(values, 9.0, quiet_readings=2).tolist() == []


def test_the_scale_of_few_excesses_is_their_mean_drawn_towards_one_half() -> None:
    # as if there were 10 more of 0.5
    assert fit_excesses(np.array([2.0, 2.0, 1.0])) == pytest.approx((10.0 / 13, 0.0))
    assert fit_excesses(np.empty(0)) == (0.5, 0.0)


def test_a_thinner_tail_than_is_believed_has_the_least_scale() -> None:
    assert fit_excesses(np.full(200, 0.001)) == (0.3, 0.0)  # equal excesses have no shape
    assert fit_excesses(np.linspace(0.001, 0.002, 200))[0] == 0.3


def test_with_many_excesses_the_shape_is_found() -> None:
    uniform = np.random.default_rng(0).random(4000)
    excesses = 2.0 / 0.1 * (uniform**-0.1 - 1.0)  # generalised Pareto, scale 2, shape 0.1

    scale, shape = fit_excesses(excesses)

    assert scale == pytest.approx(2.0, rel=0.1)
    assert shape == pytest.approx(0.1, abs=0.06)


def test_the_shape_is_bounded() -> None:
    random = np.random.default_rng(0).random(500)

    assert fit_excesses(1.0 / random)[1] == 0.2
    assert fit_excesses(3.0 * random)[1] == -0.2  # ends at 3: shape -1


def test_the_table_has_each_sensors_scale_level_and_count() -> None:
    calibration = calibrate(np.array([[1.0, 10.0], [3.0, 20.0]]), np.array([[5.0, 0.0]]))

    table = calibration.sensors
    assert dict(table.rows) == {"s-0": 0, "s-1": 1}
    assert (table.location.tolist(), table.deviation.tolist()) == ([[0.0], [1.0]], [[1.0], [2.0]])
    assert table.levels.tolist() == [[2.0, 15.0], [5.0, 0.0]]
    assert table.counts.tolist() == [2.0, 1.0]
    assert (calibration.readings, calibration.weights.tolist()) == (3, [0.5, 0.5])


def test_one_sensor_that_hardly_errs_does_not_speak_for_the_fleet() -> None:
    calibration = calibrate(np.full((9, 1), 1.0), np.full((9, 1), 2.0), np.full((900, 1), -13.0))

    assert calibration.pooled_level.tolist() == [1.0]  # the median of the sensors' levels
    assert calibration.start_levels()[-1].tolist() == [1.0]


def test_readings_without_a_score_are_left_out_and_sensors_without_any_are_not_in_the_table() -> None:
    silent = np.full((2, 2), np.nan)

    calibration = calibrate(silent, np.array([[1.0, 1.0], [np.nan, np.nan], [3.0, 3.0]]), silent, np.array([[0.0, 0.0]]))

    assert calibration.readings == 3
    assert dict(calibration.sensors.rows) == {"s-1": 0, "s-3": 1}
    assert calibration.sensors.counts.tolist() == [2.0, 1.0]
    assert calibration.sensors.levels.tolist() == [[2.0, 2.0], [0.0, 0.0]]
    assert calibration.sensors.location.tolist() == [[1.0], [3.0]]


def test_sensors_of_differing_levels_are_surprised_alike() -> None:
    quiet, loud = normal(4000, 1, level=-2.0), normal(4000, 2, level=3.0)

    both, alone = calibrate(quiet, loud), calibrate(quiet)

    assert both.sensors.levels == pytest.approx(np.array([[-2.0, -2.0], [3.0, 3.0]]), abs=0.05)
    assert both.margin(1e-4) == pytest.approx(alone.margin(1e-4), rel=0.25)
    assert both.typical == pytest.approx(alone.typical, rel=0.05)


def test_what_is_typical_is_the_mean_surprise_of_the_readings_themselves() -> None:
    errors = normal(500, 5)

    calibration = calibrate(errors)

    assert calibration.typical == pytest.approx(surprises(calibration, 0, errors.astype(np.float32)).mean(), rel=1e-3)


def test_members_count_by_their_weights() -> None:
    errors = normal(500, 5)

    second = calibrate(errors, weights=[0.0, 1.0])

    alone = calibrate(errors[:, 1:])
    assert second.weights.tolist() == [0.0, 1.0]
    assert (second.typical, second.tail_start) == (alone.typical, alone.tail_start)


def test_the_margin_keeps_to_the_rate_it_was_asked_for() -> None:
    calibration = calibrate(normal(20_000, 3), quiet_readings=1)
    later = surprises(calibration, 0, normal(200_000, 4))

    rate = np.mean(later > calibration.typical + calibration.margin(1e-3))

    assert rate == pytest.approx(1e-3, rel=0.5)


def test_a_sensor_of_one_reading_each_is_enough() -> None:
    calibration = calibrate(*[normal(1, seed) for seed in range(50)])

    assert len(calibration.sensors) == calibration.readings == 50
    assert all(math.isfinite(calibration.margin(rate)) for rate in RATES)


@settings(deadline=None, max_examples=examples(50))
@given(st.lists(LOG_ERRORS, min_size=1, max_size=4), st.integers(1, 40))
def test_margins_are_finite_and_never_fall_as_the_budget_shrinks(of_sensors: list[Float32Array], quiet: int) -> None:
    calibration = calibrate(*of_sensors, quiet_readings=quiet)

    margins = [calibration.margin(rate) for rate in RATES]

    assert all(math.isfinite(margin) for margin in margins)
    assert margins == sorted(margins)
    assert (calibration.tails.scales > 0).all()
    assert calibration.tail_scale > 0
    assert 0.0 <= calibration.typical < math.inf
