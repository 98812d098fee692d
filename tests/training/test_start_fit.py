"""Windows that are not full are judged by the starts that the history holds: by their errors, and by how much they vary."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset
from stream_detector.training.data_split import starts_of
from stream_detector.training.partial_fit import CAUTION
from stream_detector.training.preparation import TrainingConfig, prepare
from stream_detector.training.start_fit import CHUNK_WINDOWS, StartErrors, score_starts, with_starts
from tests.training.test_partial_fit import calibration

#: A full window has four rows. Until then hidden rows change nothing: only the starts do.
HIDDEN = PartialLevels(np.array([1, 2, 4]), np.zeros((3, 1)), np.ones((3, 1)))


def found(*of_starts: list[float]) -> StartErrors:
    """Return the errors of one member in each start: of its first reading, of its second."""
    starts = np.concatenate([np.full(len(errors), at) for at, errors in enumerate(of_starts)]).astype(np.int64)
    rows = np.concatenate([np.arange(1, len(errors) + 1) for errors in of_starts])
    errors = np.array([[error] for of_start in of_starts for error in of_start], np.float32)
    return StartErrors(starts, rows, rows, errors)


def fitted(starts: StartErrors, hidden: PartialLevels = HIDDEN, largest: float = 1.0) -> PartialLevels:
    return with_starts(hidden, starts, np.zeros((len(starts.rows), 1)), calibration(1), largest)


def test_what_all_starts_have_in_common_does_not_count() -> None:
    levels = fitted(found([5, 3], [5, 3], [5, 3]))

    assert levels.shift[:, 0].tolist() == [5, 3, 0]
    assert levels.share[:, 0].tolist() == [1, 1, 1]
    corrected = levels.by_rows().correct(np.array([[5.0], [3.0], [5.0], [5.0]]), np.array([1, 2, 2, 4]))
    assert corrected[:, 0].tolist() == [0, 0, 2, 5]  # a start that is 2 above the others counts so


def test_the_more_the_starts_vary_the_less_they_count() -> None:
    """The third is 6 - (4 + 5 + 5) / 3 = 1.33 above the mean of the others; .52 is the largest factor that makes .7 of it."""
    levels = fitted(found([4], [5], [6], [5]), largest=0.7)

    assert levels.shift[0, 0] == 5
    assert levels.share[0, 0] == pytest.approx(CAUTION * 0.52)
    assert levels.share[1, 0] == 1  # no start has a second reading


def test_starts_with_smaller_errors_than_hidden_rows_change_nothing() -> None:
    hidden = PartialLevels(HIDDEN.rows, np.array([[6.0], [6.0], [0.0]]), np.array([[0.5], [0.5], [1.0]]))

    levels = fitted(found([5, 3], [5, 3], [5, 3]), hidden)

    assert (levels.shift == hidden.shift).all()
    assert (levels.share == hidden.share).all()


def test_too_few_starts_to_tell_how_they_vary_wait_for_a_full_window() -> None:
    assert fitted(found([5, 3], [5, 3])).share[:, 0].tolist() == [0, 0, 1]


def test_a_history_without_a_start_changes_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    levels = fitted(StartErrors(nothing, nothing, nothing, np.zeros((0, 1), np.float32)))

    assert (levels.shift == HIDDEN.shift).all()
    assert (levels.share == HIDDEN.share).all()


def test_windows_without_a_score_are_left_out() -> None:
    levels = fitted(found([np.nan, 3], [5, 3], [5, 3], [5, np.nan]))

    assert levels.shift[:, 0].tolist() == [5, 3, 0]


def dataset(*runs: tuple[int, int, int]) -> Dataset:
    """Return one feature of sensors in runs: the sensor, the second of the first reading, and how many follow each other."""
    codes = np.concatenate([np.full(count, sensor, np.int32) for sensor, _, count in runs])
    times_ms = np.concatenate([1000 * (first + np.arange(count, dtype=np.int64)) for _, first, count in runs])
    values = np.arange(len(codes), dtype=np.float32)[:, np.newaxis]
    return Dataset(("speed",), ("a", "b"), codes, times_ms, values, np.arange(len(codes)))


def test_a_start_is_the_first_reading_after_a_gap_and_not_the_first_of_a_sensor() -> None:
    firsts, counts = starts_of(dataset((0, 0, 3), (0, 100, 2), (0, 200, 4), (1, 500, 2), (1, 600, 1)), np.array([5e3, 5e3]))

    assert firsts.tolist() == [3, 5, 11]
    assert counts.tolist() == [2, 4, 1]


def test_the_windows_of_a_start_have_its_rows_only() -> None:
    seen: list[Float32Array] = []

    def log_errors(windows: Float32Array, _: Scales) -> Float32Array:
        seen.append(windows)
        return np.asarray(np.nanmean(windows, axis=1), np.float32)

    prepared = prepare(dataset((0, 0, 60), (0, 100, 40), (1, 0, 80)), TrainingConfig(window_length=4))
    no_pattern = np.zeros((2, 1, 1, 1), np.float32)
    missing = MissingLevels(no_pattern[..., 0], no_pattern, np.zeros(1, np.float32), np.array([4]))

    starts = score_starts(log_errors, missing, prepared)

    nan = np.nan
    np.testing.assert_array_equal(seen[0][:, :, 0], [[nan, nan, nan, 60], [nan, nan, 60, 61], [nan, 60, 61, 62]])
    assert (starts.starts.tolist(), starts.rows.tolist(), starts.ends.tolist()) == ([0, 0, 0], [1, 2, 3], [60, 61, 62])
    assert starts.errors[:, 0].tolist() == [60, 60.5, 61]


def test_many_starts_of_long_windows_are_measured_in_parts_of_which_each_fits_into_memory() -> None:
    """Windows of 256 readings have 247 rows to measure, so about 8,192 windows are 33 of the 50 starts."""
    seen: list[int] = []

    def log_errors(windows: Float32Array, _: Scales) -> Float32Array:
        seen.append(len(windows))
        return np.zeros((len(windows), 1), np.float32)

    runs = [(0, 10_000 * number, 300) for number in range(51)]
    prepared = prepare(dataset(*runs, (1, 0, 300)), TrainingConfig(window_length=256))
    no_pattern = np.zeros((2, 1, 1, 1), np.float32)
    missing = MissingLevels(no_pattern[..., 0], no_pattern, np.zeros(1, np.float32), np.array([256]))

    starts = score_starts(log_errors, missing, prepared)

    assert (len(starts.rows), int(starts.starts.max())) == (33 * 247, 32)
    assert max(seen) == CHUNK_WINDOWS
    assert starts.errors.shape == (33 * 247, 1)
