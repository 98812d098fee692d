"""The members of the built-in model, by hand: one matrix that forecasts the newest 8 rows to be the row before them."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.built_in.members import LENGTH, LOG_OFFSET, NEWEST, are_measured, largest, residuals

#: Each of the newest rows is expected to be as the last older one.
AS_BEFORE = np.zeros((LENGTH - NEWEST, NEWEST), np.float32)
AS_BEFORE[-1] = 1.0


def window(*columns: np.ndarray) -> np.ndarray:
    return np.stack(columns, axis=1)[np.newaxis].astype(np.float32)


def errors(scaled: np.ndarray) -> np.ndarray:
    present = ~np.isnan(scaled)
    return residuals(np.nan_to_num(scaled), present, AS_BEFORE).errors()[0, :, 0]


def test_a_step_of_the_newest_rows_is_an_error_of_each_member() -> None:
    step = np.where(np.arange(LENGTH) < LENGTH - NEWEST, 0.0, 2.0)

    forecast, level, spread = errors(window(step))

    assert forecast == pytest.approx(4.0)
    assert level == pytest.approx(4.0)
    assert spread == pytest.approx(4.0 * 1 / 8 * 7 / 8)  # the variance of a value that is 2 in an eighth of the rows


def test_a_level_that_stays_is_an_error_of_the_level_alone() -> None:
    assert errors(window(np.full(LENGTH, 3.0))) == pytest.approx([0.0, 9.0, 0.0])


def test_missing_rows_do_not_count() -> None:
    values = np.full(LENGTH, 3.0)
    values[-NEWEST : -NEWEST + 6] = np.nan

    assert errors(window(values)) == pytest.approx([0.0, 9.0, 0.0])


def test_flags_and_what_only_rises_are_no_measurements_unless_nothing_else_is_there() -> None:
    rising, steps = np.arange(LENGTH) * 1.0, np.arange(LENGTH) // 40 * 1.0 + 5.0
    flag, noise = np.arange(LENGTH) % 2 * 1.0, np.random.default_rng(0).normal(size=LENGTH)

    found = are_measured(window(rising, steps, flag, noise), np.ones((1, LENGTH, 4), np.bool_))
    alone = are_measured(window(rising, flag), np.ones((1, LENGTH, 2), np.bool_))

    assert found.tolist() == [[False, True, False, True]]
    assert alone.tolist() == [[True, True]]


def test_a_feature_whose_newest_value_is_missing_is_not_scored() -> None:
    present = np.ones((1, LENGTH, 2), np.bool_)
    present[0, -1, 0] = False
    noise = np.random.default_rng(0).normal(size=(2, LENGTH))

    assert are_measured(window(*noise), present).tolist() == [[False, True]]


def test_the_largest_quarter_of_the_scored_features_makes_the_error() -> None:
    of_features = np.array([[[1.0, 9.0, 3.0, 100.0, 2.0, 5.0]]], np.float32)
    scored = np.array([[True, True, True, False, True, True]])

    logs, chosen = largest(of_features, scored)
    nothing, _ = largest(of_features, np.zeros((1, 6), np.bool_))

    assert chosen.tolist() == [[[False, True, False, False, False, True]]]  # two of five
    assert logs[0, 0] == pytest.approx(np.log(7.0 + LOG_OFFSET))
    assert np.isnan(nothing).all()
