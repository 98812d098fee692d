"""Forward fill, by hand and against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.missing_values import forward_fill

NAN = np.nan


def test_a_missing_value_is_the_last_one_before_it_and_nan_where_there_is_none() -> None:
    values = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [3.0, 4.0]])

    filled = forward_fill(values, ~np.isnan(values))

    np.testing.assert_array_equal(filled, [[NAN, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 4.0]])
    assert np.isnan(values[2, 1])  # the argument is not changed


def test_windows_are_filled_along_their_steps_and_stay_float32() -> None:
    windows = np.array([[[1.0], [NAN]], [[NAN], [5.0]]], np.float32)

    filled = forward_fill(windows, ~np.isnan(windows), axis=-2)

    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled, [[[1.0], [1.0]], [[NAN], [5.0]]])


def test_of_no_rows_there_are_none() -> None:
    assert forward_fill(np.empty((0, 2)), np.empty((0, 2), np.bool_)).shape == (0, 2)


@given(st.lists(st.sampled_from([NAN, 1.0, 2.0, -np.inf]), max_size=20))
def test_equals_its_definition_value_by_value(column: list[float]) -> None:
    values, last, expected = np.array(column, np.float64)[:, None], NAN, []
    for value in column:
        last = last if np.isnan(value) else value
        expected.append([last])

    np.testing.assert_array_equal(forward_fill(values, ~np.isnan(values)), np.reshape(expected, (-1, 1)))
