"""How much history a training had, and what the user must know before it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.tables.dataset import Dataset
from stream_detector.training.history import first_warnings, history_of
from tests.fixtures_model import tiny_dataset

DAY = 86_400


def flagged(dataset: Dataset, values: list[float]) -> Dataset:
    """Return the dataset with a flag as its second feature, of these values in turn."""
    flags = np.resize(np.array(values, np.float32), len(dataset))
    return replace(dataset, values=np.column_stack([dataset.values[:, 0], flags]).astype(np.float32))


def test_it_measures_span_readings_and_empty_cells() -> None:
    dataset = tiny_dataset(sensors=2, readings=400)
    dataset.values[::4, 0] = np.nan

    history = history_of(dataset, np.ones(2, np.bool_), 1.0, window_length=8)

    assert (history.sensors, history.span_seconds, history.readings) == (2, 400.0, 400)
    assert history.empty_share == pytest.approx(1 / 8)
    assert history.lonely_share == pytest.approx(1 / 4)
    assert history.modes == ()


@pytest.mark.parametrize(
    ("span_seconds", "readings", "interval", "is_short"),
    [
        (400.0, 400, 1.0, True),
        (0.98 * DAY, 84_672, 1.0, True),
        (DAY, DAY, 1.0, False),
        (DAY, 144, 600.0, True),  # a day of rare readings: 16 windows of 64 need 7.1 days
        (7.2 * DAY, 1037, 600.0, False),
        (10.0 * DAY, 500, 60.0, True),  # mostly gaps
    ],
)
def test_a_day_or_sixteen_windows_are_enough(span_seconds: float, readings: int, interval: float, is_short: bool) -> None:
    history = history_of(tiny_dataset(), np.ones(2, np.bool_), 1.0, window_length=64)

    changed = replace(history, span_seconds=span_seconds, readings=readings, interval_seconds=interval)

    assert changed.extent.is_short is is_short


def test_seven_minutes_are_called_too_short_with_what_is_needed() -> None:
    (warning,) = first_warnings(tiny_dataset(readings=420), window_length=64)

    assert warning.startswith("TOO SHORT: 7 min of history, 420 readings a sensor. Give it 24 h or more")


def test_ninety_minutes_of_a_reading_a_second_are_called_a_trial() -> None:
    (warning,) = first_warnings(tiny_dataset(sensors=1, readings=5_400), window_length=64)

    assert warning == "SHORT: 90 min of history, 5,400 readings a sensor. Give it 24 h or more, or take this model for a trial."


def test_empty_cells_are_said_first_by_feature_and_hardly_any_are_not() -> None:
    dataset = tiny_dataset(sensors=1, readings=7_200)
    history = replace(dataset, times_ms=dataset.times_ms * 60)
    history.values[::3, 1] = np.nan

    (warning,) = first_warnings(history, window_length=8)

    assert warning.startswith("EMPTY CELLS: 17% of the cells are empty (pressure 33%). What is missing is filled in")
    assert "fewer faults are found, and later" in warning
    history.values[:] = 1.0
    history.values[::50] = np.nan
    assert first_warnings(history, window_length=8) == []


def test_a_table_of_values_at_times_of_their_own_is_called_mostly_empty() -> None:
    dataset = tiny_dataset(sensors=1, readings=400)
    dataset.values[::2, 0] = np.nan
    dataset.values[1::2, 1] = np.nan

    _, warning = first_warnings(dataset, window_length=8)

    assert "50% of the cells hold no value, and 100% of the rows only one." in warning
    assert "bring them to common times first" in warning


def test_a_reading_of_a_clock_that_was_not_set_makes_no_history_of_decades() -> None:
    dataset = tiny_dataset(sensors=2, readings=400)
    dataset.times_ms[[0, 400]] -= 50 * 365 * DAY * 1000

    assert history_of(dataset, np.ones(2, np.bool_), 1.0, window_length=8).span_seconds == 399.0


def test_flags_tell_the_operating_modes() -> None:
    dataset = flagged(tiny_dataset(), [0.0, 1.0, 1.0, 1.0, np.nan])

    history = history_of(dataset, np.array([True, False]), 1.0, window_length=8)

    assert [(mode.text, mode.share) for mode in history.modes] == [("pressure 1", 0.75), ("pressure 0", 0.25)]
