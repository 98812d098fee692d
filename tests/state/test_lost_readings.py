"""Lost readings have a row without values each, by what the sensor's own steps say is usual."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.readings import Float32Array, Float64Array, Int64Array, Readings
from stream_detector.state.lost_readings import FEWEST_STEPS, MOST_LOST_SHARE, lost_before, with_lost_rows
from stream_detector.state.record_layout import new_records, step_codes
from stream_detector.state.windows import append

NAN = math.nan
LENGTH = 16


def window_of(times_ms: Int64Array) -> Float32Array:
    """Return the window [T] as it is scored, of readings at these times whose values are 0, 1, 2 ..."""
    values = np.arange(len(times_ms), dtype=np.float32)[np.newaxis, :, np.newaxis]
    codes = step_codes(np.concatenate([times_ms[:1], times_ms[:-1]]), times_ms)
    return np.asarray(with_lost_rows(values, codes[np.newaxis])[0, :, 0])


def lost_at(steps: Float64Array, interval_ms: float = 1000.0) -> Int64Array:
    """Return how many readings were lost before each row of a window, by steps [T] in intervals."""
    return np.asarray(lost_before(np.rint(interval_ms * steps).astype(np.int64)[np.newaxis])[0])


def minutes(*lost: int) -> Int64Array:
    """Return the times of a window, a reading a minute, without these readings, counted from the newest."""
    kept = np.setdiff1d(np.arange(LENGTH + len(lost)), lost)
    return np.asarray(60_000 * (100 - kept[::-1]), np.int64)


def test_lost_readings_have_rows_without_values_and_the_oldest_rows_drop_out() -> None:
    found = window_of(minutes(3, 4, 5))

    assert found.tolist() == pytest.approx([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, NAN, NAN, NAN, 13, 14, 15], nan_ok=True)


def test_two_pauses_are_both_filled() -> None:
    found = window_of(minutes(1, 2, 5, 6, 7))

    assert found.tolist() == pytest.approx([5, 6, 7, 8, 9, 10, 11, 12, NAN, NAN, NAN, 13, 14, NAN, NAN, 15], nan_ok=True)


def test_in_a_window_that_is_not_full_only_the_rows_that_are_there_have_lost_ones_between_them() -> None:
    times_ms, rows = minutes(3, 4, 5), 10
    values = np.arange(LENGTH, dtype=np.float32)[np.newaxis, :, np.newaxis]
    values[:, : LENGTH - rows] = NAN
    codes = step_codes(np.concatenate([times_ms[:1], times_ms[:-1]]), times_ms)
    codes[: LENGTH - rows + 1] = 50_000  # of rows that are not there

    found = with_lost_rows(values, codes[np.newaxis], np.array([rows]))[0, :, 0]

    kept = [9, 10, 11, 12, NAN, NAN, NAN, 13, 14, 15]
    assert found.tolist() == pytest.approx([NAN] * (LENGTH - rows) + kept, nan_ok=True)


def test_a_single_lost_reading_is_none() -> None:
    assert window_of(minutes(3)).tolist() == list(range(LENGTH))


def test_a_window_without_lost_readings_is_passed_on_as_it_is() -> None:
    windows = np.zeros((2, LENGTH, 1), np.float32)

    assert with_lost_rows(windows, np.full((2, LENGTH), 60, np.uint16)) is windows


def test_the_first_row_s_step_does_not_count() -> None:
    """It leads out of the window, to a row that the window has dropped or that a restart has ended."""
    codes = np.full((1, LENGTH), 60, np.uint16)
    codes[0, 0] = 900
    windows = np.zeros((1, LENGTH, 1), np.float32)

    assert with_lost_rows(windows, codes) is windows


@pytest.mark.parametrize("size", [2, 3, 5, 9])
def test_so_many_are_lost_as_the_usual_step_fits_into_the_pause_though_readings_jitter(size: int) -> None:
    steps = 1.0 + np.random.default_rng(size).uniform(-0.2, 0.2, 64)
    steps[40] += size

    lost = lost_at(steps)

    assert lost[40] == size
    assert lost.sum() == size


@pytest.mark.parametrize(
    "steps",
    [
        np.random.default_rng(1).exponential(1.0, 64),  # reports when something has changed
        1.0 + np.random.default_rng(2).geometric(0.7, 64) - 1.0,  # three readings in ten never come
        np.tile([1.0, 1.0, 1.0, 7.0], 16),  # comes in fours
    ],
)
def test_a_sensor_whose_steps_always_vary_has_lost_none(steps: Float64Array) -> None:
    assert lost_at(steps).tolist() == [0] * 64


def test_at_most_half_a_window_is_lost_ones_the_newest_pauses_first() -> None:
    steps = np.ones(64)
    steps[[10, 20, 30, 40, 50]] = 10.0

    lost = lost_at(steps)

    assert lost[[10, 20, 30, 40, 50]].tolist() == [0, 5, 9, 9, 9]


def test_a_sensor_that_becomes_ten_times_slower_has_lost_readings_until_its_new_pace_is_usual() -> None:
    steps = [np.concatenate([np.ones(64 - slow), np.full(slow, 10.0)]) for slow in range(20)]

    lost = [int(lost_at(one).sum()) for one in steps]

    assert max(lost) == int(MOST_LOST_SHARE * 64)
    assert lost[9:] == [0] * 11


def test_a_window_that_is_too_short_to_show_what_is_usual_has_no_lost_readings() -> None:
    times_ms = np.array([0, *range(20, 20 + FEWEST_STEPS - 1)], np.int64)

    assert np.array_equal(window_of(times_ms), np.arange(FEWEST_STEPS, dtype=np.float32))


@settings(deadline=None)
@given(
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 5, 9, 40]), min_size=30, max_size=60),
    unit_ms=st.sampled_from([40, 1000, 3_600_000]),
    length=st.integers(FEWEST_STEPS + 1, 20),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_windows_do_not_depend_on_the_batches_and_keep_the_newest_rows_in_order(
    steps: list[int], unit_ms: int, length: int, cuts: list[int]
) -> None:
    times_ms = unit_ms * np.cumsum(steps)
    values = 1.0 + np.arange(len(steps), dtype=np.float32)[:, np.newaxis]

    def windows(*bounds: int) -> Float32Array:
        records, found = new_records(1, length, 1, 1), []
        for start, stop in itertools.pairwise(bounds):
            count = stop - start
            offsets = np.arange(start, stop, dtype=np.int64)
            batch = Readings(["a"] * count, np.zeros(count, np.int32), offsets, times_ms[start:stop], values[start:stop])
            appended = append(records, np.zeros(count, np.int32), batch, None)
            found.append(appended.timed_windows(np.flatnonzero(appended.filled == length)))
        return np.concatenate(found)

    whole = windows(0, len(steps))

    assert np.array_equal(whole, windows(0, *sorted(min(cut, len(steps)) for cut in cuts), len(steps)), equal_nan=True)
    for window in whole[:, :, 0]:
        known = window[~np.isnan(window)]
        assert not np.isnan(window[-1])
        assert (np.diff(known) == 1).all()
        assert len(known) >= length - int(MOST_LOST_SHARE * length)
