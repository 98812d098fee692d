"""How the gaps of windows are filled: short ones by the last value, gone features by what the others let expect."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream_detector.model.missing_features import (
    GAP_ROWS,
    MOST_PATTERNS,
    RIDGE,
    Imputation,
    RowMoments,
    fit_row_moments,
    gone_features,
)
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

NAN = math.nan
#: The second feature is the first and noise; the third is independent of both, and its values halve from row to row.
MOMENTS = RowMoments(
    np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    np.array([[0.9, 0.72, 0.0], [0.72, 0.72, 0.0], [0.0, 0.0, 0.5]]),
)


def unit(count: int, features: int = 3) -> Scales:
    return Scales(np.zeros((count, features), np.float32), np.ones((count, features), np.float32))


def squashed(values: Float32Array) -> Float32Array:
    """Return values as the model reads them, on the unit scale."""
    return np.asarray(5.0 * np.arcsinh(values / 5.0))


def window(*rows: tuple[float, float, float]) -> Float32Array:
    return np.array([rows], np.float32)


def test_a_window_without_gaps_is_passed_on_as_it_is() -> None:
    windows = window((1.0, 2.0, 3.0), (2.0, 1.0, 0.0))

    filled, present = Imputation(MOMENTS).fill(windows, unit(1))

    assert filled is windows
    assert present.all()


def test_a_short_gap_repeats_the_last_value() -> None:
    windows = window((1.0, 2.0, 3.0), (1.0, NAN, 3.0), (1.0, NAN, 3.0), (1.0, 5.0, NAN))

    filled, present = Imputation(MOMENTS).fill(windows, unit(1))

    assert filled[0].tolist() == [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 5.0, 3.0]]
    assert present[0].sum() == 9


def test_a_feature_that_was_never_read_takes_its_expectation_given_the_others() -> None:
    windows = window(*[(value, NAN, 7.0) for value in (1.0, -2.0, 0.5, 3.0)])

    filled, _ = Imputation(MOMENTS).fill(windows, unit(1))

    assert squashed(filled[0, :, 1]) == pytest.approx(0.8 / (1.0 + RIDGE) * squashed(windows[0, :, 0]), rel=1e-5)


def test_a_feature_that_dies_moves_from_its_last_value_to_its_expectation() -> None:
    windows = window((0.0, 0.0, 2.0), *[(0.0, 0.0, NAN)] * 4)

    filled, _ = Imputation(MOMENTS).fill(windows, unit(1))

    assert squashed(filled[0, :, 2]) == pytest.approx(squashed(np.array(2.0, np.float32)) * 0.5 ** np.arange(5), rel=1e-5)


def test_a_feature_that_comes_back_is_filled_towards_its_first_value() -> None:
    windows = window(*[(0.0, 0.0, NAN)] * 4, (0.0, 0.0, 2.0))

    filled, _ = Imputation(MOMENTS).fill(windows, unit(1))

    last = squashed(np.array(2.0, np.float32))
    assert squashed(filled[0, :, 2]) == pytest.approx(last * 0.5 ** np.arange(4, -1, -1), rel=1e-5)


def test_expectations_are_on_the_sensors_own_scale() -> None:
    windows = window(*[(110.0, NAN, 0.0)] * 4)
    scales = Scales(np.array([[100.0, -5.0, 0.0]], np.float32), np.array([[10.0, 2.0, 1.0]], np.float32))

    filled, _ = Imputation(MOMENTS).fill(windows, scales)

    expected = 0.8 / (1.0 + RIDGE) * squashed(np.array(1.0, np.float32))
    assert filled[0, :, 1] == pytest.approx([2.0 * 5.0 * math.sinh(expected / 5.0) - 5.0] * 4, rel=1e-5)


def test_without_any_feature_that_is_not_gone_each_takes_the_mean_in_time() -> None:
    windows = np.full((1, 10, 3), NAN, np.float32)
    windows[0, 0] = 2.0
    for row in range(1, 10):
        windows[0, row, row // 4] = 2.0  # rows 1 to 3 have the first feature only, 4 to 7 the second, 8 and 9 the third

    filled, _ = Imputation(MOMENTS).fill(windows, unit(1))

    assert filled[0, 3].tolist() == sorted(filled[0, 3], reverse=True)
    assert (np.diff(filled[0, :4, 1:], axis=0) < 0).all()
    assert np.isfinite(filled).all()


def test_lost_rows_lie_on_a_line_and_a_gone_feature_takes_there_what_the_others_let_expect() -> None:
    windows = window(*[(0.0, 1.0, 1.0)] * 3, *[(NAN, NAN, NAN)] * 3, (4.0, 1.0, -3.0))
    dead = windows.copy()
    dead[0, :, 1] = NAN

    filled, present = Imputation(MOMENTS).fill(windows, unit(1))
    without, _ = Imputation(MOMENTS).fill(dead, unit(1))

    assert filled[0, 2:].tolist() == [[float(row), 1.0, 1.0 - row] for row in range(5)]
    assert present[0].sum(axis=1).tolist() == [3, 3, 3, 0, 0, 0, 3]
    assert without[0, :, [0, 2]].tolist() == filled[0, :, [0, 2]].tolist()
    assert (np.diff(without[0, 2:, 1]) > 0).all()  # it follows the first feature, as if no reading had been lost


def test_a_feature_is_gone_from_three_missing_rows_in_a_row() -> None:
    present = np.ones((2, 6, 2), np.bool_)
    present[0, 1 : 1 + GAP_ROWS, 0] = False
    present[1, ::2, 1] = False

    assert gone_features(present).tolist() == [[True, False], [False, False]]
    assert gone_features(np.array([[[True, False], [True, False]]])).tolist() == [[False, True]]


def test_rows_without_any_value_make_no_feature_gone() -> None:
    present = np.ones((1, 9, 2), np.bool_)
    present[0, 2:7] = False
    present[0, 1, 0] = False

    assert gone_features(present).tolist() == [[False, False]]


def test_a_filled_window_is_the_same_bits_whatever_else_is_in_the_call() -> None:
    random = np.random.default_rng(3)
    windows = random.normal(0.0, 3.0, (50, 12, 3)).astype(np.float32)
    for number, gone in enumerate(random.random((50, 3)) < 0.4):
        windows[number, number % 8 :, gone] = NAN

    together, _ = Imputation(MOMENTS).fill(windows, unit(50))
    alone = np.concatenate([Imputation(MOMENTS).fill(one[np.newaxis], unit(1))[0] for one in windows])

    assert alone.tobytes() == together.tobytes()
    assert np.isfinite(together).all()


def test_what_is_read_is_never_changed_not_even_the_input() -> None:
    windows = window((1.0, NAN, 3.0), (1e30, NAN, -3e38), (2.0, NAN, 0.0), (3.0, NAN, 1.0))
    before = windows.copy()

    filled, present = Imputation(MOMENTS).fill(windows, unit(1))

    assert windows.tobytes() == before.tobytes()
    assert filled[present].tobytes() == windows[present].tobytes()
    assert np.isfinite(filled).all()


def test_only_so_many_patterns_are_kept() -> None:
    features = 12
    imputation = Imputation(RowMoments(np.eye(features), 0.5 * np.eye(features)))

    found = [imputation.pattern(np.array([bool(number >> bit & 1) for bit in range(features)]), 4) for number in range(3000)]

    assert len({id(pattern) for pattern in found}) == 3000
    assert len(imputation._patterns) <= MOST_PATTERNS


def test_the_moments_are_of_a_row_with_itself_and_with_the_row_before() -> None:
    windows = np.array([[[9.0, 9.0], [1.0, 2.0], [3.0, 4.0]], [[9.0, 9.0], [0.0, 1.0], [1.0, 0.0]]], np.float32)

    moments = fit_row_moments(windows)

    assert moments.covariance.tolist() == [[5.0, 6.0], [6.0, 8.0]]
    assert moments.lagged.tolist() == [[1.5, 3.5], [2.0, 4.0]]
