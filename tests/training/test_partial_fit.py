"""What few rows do to errors is measured, so that those of partial windows are distributed like those of full ones."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.readings import Float64Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.training.partial_fit import CAUTION, PartialErrors, fit_partial_levels, rows_measured

COUNT = 1000


def calibration(members: int) -> Calibration:
    """Return one whose members all count alike; the surprise of an error is the error, from 0 on."""
    empty = np.zeros((0, 1), np.float32)
    return Calibration(
        members=tuple(str(number) for number in range(members)),
        weights=np.full(members, 1.0 / members),
        tails=Tails(np.zeros((members, 1)), np.zeros(1), np.ones(members)),
        pooled_level=np.zeros(members),
        typical=0.5,
        tail_start=1.0,
        tail_rate=0.01,
        tail_scale=1.0,
        tail_shape=0.0,
        readings=COUNT,
        sensors=SensorTable({}, empty, empty, np.zeros((0, members)), np.zeros(0)),
    )


def errors_of(*of_rows: Float64Array) -> PartialErrors:
    """Return errors [W, M] of windows with one row, with two, and so on."""
    stacked = np.stack(of_rows).astype(np.float32)
    return PartialErrors(np.arange(1, len(of_rows) + 1), np.arange(stacked.shape[1]), stacked)


def largest_surprise(errors: Float64Array) -> float:
    surprise = np.sort(calibration(errors.shape[1]).tails.surprise(errors).mean(axis=1))
    return float(surprise[-COUNT // 50 :].mean())


def test_the_rows_that_are_measured_are_from_one_to_a_full_window() -> None:
    assert rows_measured(64).tolist() == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    assert rows_measured(30).tolist() == [1, 2, 3, 4, 6, 8, 12, 16, 24, 30]
    assert rows_measured(2).tolist() == [1, 2]


def test_larger_and_wider_errors_of_few_rows_are_as_those_of_full_windows() -> None:
    full = np.random.default_rng(0).normal(size=(COUNT, 1))
    level = np.full((COUNT, 1), 5.0)

    found = fit_partial_levels(errors_of(3.0 * full + 7.0, full + 5.0), level, calibration(1)).by_rows()
    corrected = found.correct(3.0 * full + 2.0, np.ones(COUNT, np.int64))

    assert corrected.mean() == pytest.approx(0.0, abs=0.05)
    assert largest_surprise(corrected) == pytest.approx(CAUTION * largest_surprise(full), rel=0.03)


def test_smaller_errors_of_few_rows_are_not_made_larger() -> None:
    full = np.random.default_rng(0).normal(size=(COUNT, 1))

    found = fit_partial_levels(errors_of(0.1 * full, full), np.zeros((COUNT, 1)), calibration(1))

    assert found.share[:, 0].tolist() == [CAUTION, 1.0]


def test_a_member_that_sees_nothing_in_so_few_rows_does_not_count() -> None:
    full = np.random.default_rng(0).normal(size=(COUNT, 2))
    few = full.copy()
    few[:, 1] = 0.0

    found = fit_partial_levels(errors_of(few, full), np.zeros((COUNT, 2)), calibration(2))

    assert found.share[0, 1] == 0.0
    assert found.share[0, 0] > 0.5


def test_members_that_err_together_in_few_rows_count_less() -> None:
    """Each varies as in full windows, but there they vary independently, and their mean hardly does."""
    full = np.random.default_rng(0).normal(size=(COUNT, 4))
    together = np.repeat(full[:, :1], 4, axis=1)

    found = fit_partial_levels(errors_of(together, full), np.zeros((COUNT, 4)), calibration(4))

    assert (found.share[0] < 0.9 * CAUTION).all()
    assert largest_surprise((together - found.shift[0]) * found.share[0]) <= largest_surprise(full)


def test_windows_without_a_score_are_left_out() -> None:
    full = np.random.default_rng(0).normal(size=(COUNT, 1))
    few = 2.0 * full
    few[::2] = np.nan

    found = fit_partial_levels(errors_of(few, full), np.zeros((COUNT, 1)), calibration(1))

    assert found.share[0, 0] == pytest.approx(0.5 * CAUTION, abs=0.1)
    assert np.isfinite(found.shift).all()


def test_nothing_that_is_scored_leaves_partial_windows_without_evidence() -> None:
    full = np.random.default_rng(0).normal(size=(COUNT, 1))

    found = fit_partial_levels(errors_of(np.full((COUNT, 1), np.nan), full), np.zeros((COUNT, 1)), calibration(1))

    assert found.share[:, 0].tolist() == [0.0, 1.0]
    assert found.shift[:, 0].tolist() == [0.0, 0.0]
