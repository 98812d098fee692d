"""What stands out in a history itself, and what is usual there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.commands.oddity_lines import describe_oddities
from stream_detector.readings import FloatArray
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.sampling import sensor_paces
from stream_detector.training.oddities import EMPTY, FROZEN, SILENT, TAKEN_OUT, Oddity, find_oddities
from tests.fixtures_model import tiny_dataset

SENSORS, READINGS = 5, 2_000


def history(change: Callable[[FloatArray], None]) -> Dataset:
    """Return readings of sensors, a second apart, after a change to their values [S, N, F]."""
    dataset = tiny_dataset(SENSORS, READINGS)
    values = dataset.values.copy().reshape(SENSORS, READINGS, -1)
    change(values)
    return replace(dataset, values=values.reshape(SENSORS * READINGS, -1))


def found_in(dataset: Dataset) -> list[Oddity]:
    return list(find_oddities(dataset, np.ones(2, np.bool_), sensor_paces(dataset)))


def seconds_in(dataset: Dataset, one: Oddity) -> float:
    return (one.start_ms - int(dataset.times_ms[0])) / 1000.0


def nothing(_values: FloatArray) -> None:
    """Leave the values."""


def freeze(values: FloatArray, sensor: int, first: int, last: int, features: slice = slice(None)) -> None:
    values[sensor, first : last + 1, features] = values[sensor, first, features]


def test_a_healthy_history_has_nothing_to_tell() -> None:
    assert found_in(history(nothing)) == []


def test_a_value_that_does_not_change_is_found_with_its_time_and_its_length_though_it_came_twice() -> None:
    def twice(values: FloatArray) -> None:
        freeze(values, 1, 100, 219, slice(1, 2))
        freeze(values, 1, 900, 1_019, slice(1, 2))

    dataset = history(twice)
    first, second = found_in(dataset)

    assert (first.what, first.sensors, first.features) == (FROZEN, ("pump-1",), ("pressure",))
    assert (seconds_in(dataset, first), first.seconds, first.readings) == (100.0, 120.0, 120)
    assert seconds_in(dataset, second) == 900.0


def test_what_several_features_and_sensors_show_at_once_is_one() -> None:
    def everything(values: FloatArray) -> None:
        for sensor in range(SENSORS):
            freeze(values, sensor, 500, 599)

    (one,) = found_in(history(everything))

    assert (one.features, len(one.sensors), one.readings) == (("pressure", "temperature"), SENSORS, 100)


def test_standing_still_at_every_stop_is_usual_and_so_is_a_feature_that_hardly_changes() -> None:
    def stops(values: FloatArray) -> None:
        for sensor in range(SENSORS):
            freeze(values, sensor, 100 + 200 * sensor, 140 + 210 * sensor)

    def rounded(values: FloatArray) -> None:
        values[:, :, 1] = np.round(values[:, :, 1] / 2.0)

    assert found_in(history(stops)) == []
    assert found_in(history(rounded)) == []


def test_empty_cells_in_a_row_are_found_but_not_those_of_a_feature_that_is_read_now_and_then() -> None:
    def empty(values: FloatArray) -> None:
        values[2, 300:480, 0] = np.nan

    def seldom(values: FloatArray) -> None:
        values[:, np.arange(READINGS) % 30 != 0, 0] = np.nan

    (one,) = found_in(history(empty))

    assert (one.what, one.sensors, one.features, one.readings, one.seconds) == (
        EMPTY,
        ("pump-2",),
        ("temperature",),
        180,
        180.0,
    )
    assert found_in(history(seldom)) == []


@pytest.mark.parametrize("silent", [1, SENSORS])
def test_a_pause_is_found_and_one_of_all_sensors_is_one(silent: int) -> None:
    dataset = history(nothing)
    within = np.arange(SENSORS * READINGS) % READINGS
    kept = np.flatnonzero(~((within >= 700) & (within < 760) & (dataset.codes < silent)))
    pausing = replace(
        dataset,
        codes=dataset.codes[kept],
        times_ms=dataset.times_ms[kept],
        values=dataset.values[kept],
        rows=dataset.rows[kept],
    )

    (one,) = found_in(pausing)

    assert (one.what, len(one.sensors), one.features) == (SILENT, silent, ())
    assert (seconds_in(dataset, one), one.seconds, one.readings) == pytest.approx((700.0, 60.0, 60), abs=2.0)


def test_a_single_reading_and_a_sensor_without_any_value_are_no_trouble() -> None:
    def none(values: FloatArray) -> None:
        values[0] = np.nan

    assert found_in(history(none)) == []


def standing(values: FloatArray, sensor: int, first: int, last: int) -> None:
    values[sensor, first : last + 1] = 0.0


def test_what_the_user_left_out_is_no_pause_of_the_data_and_ends_what_lasts() -> None:
    def stops(values: FloatArray) -> None:
        standing(values, 1, 100, 219)
        freeze(values, 2, 900, 1_019, slice(1, 2))

    dataset = history(stops)
    within = np.arange(SENSORS * READINGS) % READINGS
    halves = (dataset.codes == 2) & (within >= 955) & (within < 960)

    left = dataset.cut((dataset.values == 0.0).all(axis=1)).cut(np.delete(halves, np.arange(READINGS + 100, READINGS + 220)))

    assert len(left) == len(dataset) - 125
    assert [(one.what, one.readings) for one in found_in(left)] == [(FROZEN, 55), (FROZEN, 60)]
    assert {one.what for one in found_in(dataset.take(~(dataset.values == 0.0).all(axis=1)))} == {SILENT, FROZEN}


def test_values_that_the_training_took_out_were_given() -> None:
    dataset = history(lambda values: standing(values, 1, 100, 219))
    cells = dataset.values == 0.0

    (one,) = found_in(dataset.without(cells))

    assert (one.what, one.features, one.readings) == (TAKEN_OUT, ("pressure", "temperature"), 120)
    (line,) = [" ".join(" ".join(describe_oddities([one])[:-2]).split())]
    assert (
        "pressure, temperature of pump-1 had only values that were taken out, as said above, for 2 min (120 readings)" in line
    )
    assert "gave no" not in line
