"""What hiding features does to log errors, measured on windows whose errors are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.missing_fit import fit_missing_levels

COUNT, STEPS = 200, 8
ROWS_READ = np.array([STEPS])


def unit(features: int) -> Scales:
    return Scales(np.zeros((COUNT, features), np.float32), np.ones((COUNT, features), np.float32))


def windows(features: int) -> Float32Array:
    return np.random.default_rng(0).normal(size=(COUNT, STEPS, features)).astype(np.float32)


def log_errors(windows: Float32Array, scales: Scales) -> Float32Array:
    """Return one member's errors: first feature gone, +1; second gone, twice as wide; both, +3 instead; NaN if all are gone."""
    del scales
    spread = np.linspace(-1.0, 1.0, len(windows))
    gone = np.isnan(windows[0, -1])
    errors = spread * (2.0 if gone[1] else 1.0) + (3.0 if gone[0] and gone[1] else 1.0 if gone[0] else 0.0)
    return np.asarray(np.where(gone.all(), np.nan, errors)[:, np.newaxis], np.float32)


def test_shift_and_spread_are_measured_for_each_feature_and_each_pair() -> None:
    levels = fit_missing_levels(log_errors, windows(3), unit(3), np.eye(3), ROWS_READ)

    assert levels.single[0, 0] == pytest.approx([1.0, 0.0, 0.0], abs=1e-5)
    assert levels.single[1, 0] == pytest.approx([0.0, np.log(2.0), 0.0], abs=1e-5)
    assert levels.pair[0, 0] == pytest.approx(np.array([[0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), abs=1e-5)
    assert levels.pair[1, 0] == pytest.approx(np.zeros((3, 3)), abs=1e-5)
    assert levels.centre == pytest.approx([0.0], abs=1e-5)


def test_what_leaves_nothing_to_score_changes_nothing() -> None:
    only = fit_missing_levels(log_errors, windows(2)[:, :, [0, 1]], unit(2), np.eye(2), ROWS_READ)

    assert only.pair.tolist() == np.zeros((2, 1, 2, 2)).tolist()


def test_corrected_errors_are_distributed_like_those_of_whole_windows() -> None:
    some = windows(3)
    levels = fit_missing_levels(log_errors, some, unit(3), np.eye(3), ROWS_READ)
    hidden = some.copy()
    hidden[:, :, [0, 1]] = np.nan

    corrected = levels.correct(log_errors(hidden, unit(3)), hidden)

    assert corrected == pytest.approx(log_errors(some, unit(3)), abs=1e-4)
