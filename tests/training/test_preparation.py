"""What a training starts from: the parts of the data, each sensor's scale, and what is scored."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.tables.dataset import Dataset
from stream_detector.training.data_split import split_by_time
from stream_detector.training.preparation import TrainingConfig, fit_scales, prepare, scored_features
from tests.fixtures_model import tiny_dataset

NAN = math.nan
SHORT = TrainingConfig(window_length=8)


def table(*of_sensors: list[list[float]]) -> Dataset:
    """Return rows of sensors, a second apart."""
    lengths = [len(rows) for rows in of_sensors]
    values = np.array([row for rows in of_sensors for row in rows], np.float32)
    times_ms = np.concatenate([1000 * np.arange(length, dtype=np.int64) for length in lengths])
    return Dataset(
        features=tuple("xyz"[: values.shape[1]]),
        sensors=tuple(f"s-{number}" for number in range(len(lengths))),
        codes=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        times_ms=times_ms,
        values=values,
        rows=np.arange(len(values)),
    )


def all_rows(dataset: Dataset) -> BoolArray:
    return np.ones(len(dataset), np.bool_)


def test_windows_are_split_by_time_and_never_cross_sensors_gaps_or_the_split() -> None:
    dataset = tiny_dataset(sensors=2, readings=100)
    times = dataset.times_ms.copy()
    times[40:100] += 60_000  # a gap in the first sensor
    split = split_by_time(replace(dataset, times_ms=times), window_length=8, gap_limits_ms=np.full(2, 10_000.0))

    ends = np.concatenate([split.fit, split.validation])

    # First sensor: fit rows 0..69 in runs of 40 and 30; calibration rows 70..99. Second: 70 and 30. A window that ends
    # in the calibration part may begin before it.
    assert sorted(ends.tolist()) == [*range(7, 40), *range(47, 70), *range(107, 170)]
    assert split.calibration.tolist() == [*range(70, 100), *range(170, 200)]
    assert split.validation.tolist() == [*range(64, 70), *range(163, 170)]


def test_calibration_keeps_whole_runs_when_there_is_too_much() -> None:
    split = split_by_time(tiny_dataset(sensors=4, readings=1000), window_length=8, gap_limits_ms=np.full(4, 10_000.0))

    ends = split.calibration_ends(most=400, seed=0)

    assert len(ends) == 400
    steps = np.diff(ends)
    assert (steps > 0).all()
    assert np.count_nonzero(steps > 1) <= 1  # two runs of 200
    assert split.calibration_ends(most=10_000, seed=0).tolist() == split.calibration.tolist()


def test_sensors_beyond_the_runs_have_windows_for_their_levels_spread_over_their_part() -> None:
    split = split_by_time(tiny_dataset(sensors=4, readings=2000), window_length=8, gap_limits_ms=np.full(4, 10_000.0))
    runs = split.calibration_ends(most=400, seed=0)
    others = sorted({0, 1, 2, 3} - set(split.codes[runs].tolist()))
    assert len(others) == 2

    ends = split.level_ends(runs, most=1000)

    assert split.codes[ends].tolist() == [others[0]] * 200 + [others[1]] * 200
    for sensor in others:
        of_sensor, part = ends[split.codes[ends] == sensor], split.calibration[split.codes[split.calibration] == sensor]
        assert (of_sensor[0], of_sensor[-1]) == (part[0], part[-1])
        assert set(np.diff(of_sensor).tolist()) == {3, 4}  # 200 of 600
    assert split.codes[split.level_ends(runs, most=20)].tolist() == [others[0]] * 10 + [others[1]] * 10
    assert len(split.level_ends(runs, most=1)) == 1
    assert len(split.level_ends(split.calibration, most=1000)) == 0


def test_each_sensor_has_its_own_scale_from_the_rows_that_are_fitted() -> None:
    dataset = table([[1.0, 10.0], [3.0, 30.0], [99.0, 99.0]], [[100.0, NAN], [104.0, 7.0], [99.0, 99.0]])
    fitted = np.array([True, True, False, True, True, False])

    scales = fit_scales(dataset, fitted)

    assert scales.location.tolist() == [[2.0, 20.0], [102.0, 7.0]]
    assert scales.deviation[:, 0].tolist() == [1.0, 2.0]


def test_a_feature_that_does_not_vary_in_a_sensor_has_the_typical_deviation_of_those_in_which_it_does() -> None:
    dataset = table([[1.0], [3.0]], [[1.0], [5.0]], [[7.0], [7.0]])

    scales = fit_scales(dataset, all_rows(dataset))

    assert scales.deviation.tolist() == [[1.0], [2.0], [1.5]]
    assert scales.fleet.deviation.tolist() == [1.5]
    assert scales.fleet.location == pytest.approx([(2.0 + 3.0 + 7.0) / 3])


def test_where_no_sensor_varies_the_deviation_is_one() -> None:
    dataset = table([[7.0], [7.0]], [[3.0], [3.0]])

    assert fit_scales(dataset, all_rows(dataset)).deviation.tolist() == [[1.0], [1.0]]


def test_the_scale_of_the_largest_numbers_there_are_is_finite() -> None:
    dataset = table([[3e38], [-3e38]], [[3e38], [-3e38]])

    scales = fit_scales(dataset, all_rows(dataset))

    for array in (scales.location, scales.deviation, scales.fleet.location, scales.fleet.spread, scales.fleet.deviation):
        assert np.isfinite(array).all()


def test_windows_are_scaled_by_their_own_sensor_and_filled() -> None:
    dataset = tiny_dataset(sensors=2, readings=100)
    in_other_units = dataset.values * np.where(dataset.codes == 1, np.float32(4.0), np.float32(1.0))[:, np.newaxis]
    in_other_units[100:] = 4.0 * in_other_units[:100]  # the second behaves as the first
    holes = in_other_units.copy()
    holes[[50, 150]] = NAN
    prepared = prepare(replace(dataset, values=holes), SHORT)

    scaled, present = prepared.scaled_windows(np.array([52, 152]))

    assert scaled.shape == present.shape == (2, 8, 2)
    assert scaled[0] == pytest.approx(scaled[1], abs=1e-5)
    assert present[0].tolist() == [[True] * 2] * 5 + [[False] * 2] + [[True] * 2] * 2
    assert ((scaled[0, 5] - scaled[0, 4]) * (scaled[0, 6] - scaled[0, 5]) > 0).all()  # on the line between its neighbours
    assert prepared.covariates(np.array([52, 152])).shape == (2, 4)


def test_columns_of_zeros_and_ones_are_context_unless_there_are_no_others() -> None:
    values: Float32Array = np.array([[0.0, 5.0, 1.0], [1.0, 6.0, NAN]], np.float32)

    assert scored_features(("on", "level", "alarm"), values, None).tolist() == [False, True, False]
    assert scored_features(("on", "alarm"), values[:, [0, 2]], None).tolist() == [True, True]
    assert scored_features(("on", "level", "alarm"), values, ()).tolist() == [True, True, True]
    assert scored_features(("on", "level", "alarm"), values, ("level",)).tolist() == [True, False, True]


@pytest.mark.parametrize(("context", "why"), [(("x",), "x is not a feature"), (("on", "level"), "no feature is left")])
def test_impossible_context_columns_are_refused(context: tuple[str, ...], why: str) -> None:
    with pytest.raises(InputDataError, match=why):
        scored_features(("on", "level"), np.ones((1, 2), np.float32), context)


def test_too_little_data_says_how_much_is_needed() -> None:
    with pytest.raises(
        InputDataError, match=r"too little data: 40 readings of 1 sensors.*The least is 54 readings of a sensor"
    ):
        prepare(tiny_dataset(sensors=1, readings=40), SHORT)
    prepare(tiny_dataset(sensors=1, readings=54), SHORT)


def test_a_window_of_one_reading_is_refused() -> None:
    with pytest.raises(InputDataError, match="a window of 1 reading leaves nothing to predict it from; choose 2 or more"):
        prepare(tiny_dataset(), TrainingConfig(window_length=1))


def test_a_column_without_values_is_refused_by_name() -> None:
    dataset = tiny_dataset()
    values = dataset.values.copy()
    values[:, 1] = NAN

    with pytest.raises(InputDataError, match="column pressure has no value"):
        prepare(replace(dataset, values=values), SHORT)
