"""The three members of the built-in model. Each looks at one feature at a time, so it needs to know none, nor how many.

    forecast-8   predicts the newest 8 rows from the older ones, by one matrix for all features; the error is the difference
    level-8      how far the newest 8 rows are from the sensor's mean
    spread-64    how much the rows of the window vary around their own mean

Values are scaled by the sensor's running scale (model/input_scaling.py). Everything is sums in a fixed order, so a window's
result is the same bit for bit, whatever other windows are in the call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array

NAMES = ("forecast-8", "level-8", "spread-64")
#: Rows of a window, and of those the newest that the first two members judge.
LENGTH, NEWEST = 64, 8
#: Added to an error before its logarithm, in squared deviations: less than a tenth of a deviation is no error.
LOG_OFFSET = np.float32(0.01)
#: A feature that never falls, and rises in at least this share of the steps, counts something.
COUNTING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Residuals:
    """What the members did not expect of N windows. F features."""

    of_members: tuple[Float32Array, ...]  # each [N, R, F] of the newest R rows; 0 where a value is missing
    present: Float32Array  # [N, T, F] 1 where there was a value, else 0
    forecast: Float32Array  # [N, NEWEST, F] expected scaled values

    def errors(self) -> Float32Array:
        """Return the mean squared residual of each feature [N, M, F] over the rows with a value; 0 without any."""
        means = []
        for residuals in self.of_members:
            count = summed(self.present[:, -residuals.shape[1] :])
            means.append(summed(np.square(residuals)) / np.maximum(count, np.float32(1.0)))
        return np.stack(means, axis=1)


def residuals(scaled: Float32Array, present: BoolArray, matrix: Float32Array) -> Residuals:
    """Return the residuals of scaled windows [N, T, F]; `matrix` [T - NEWEST, NEWEST] forecasts."""
    there, newest = present.astype(np.float32), slice(-NEWEST, None)
    forecast = np.zeros((len(scaled), NEWEST, scaled.shape[2]), np.float32)
    for row, weights in enumerate(matrix):
        forecast += scaled[:, row, np.newaxis] * weights[:, np.newaxis]
    mean = summed(scaled * there) / np.maximum(summed(there), np.float32(1.0))
    spread: Float32Array = np.asarray((scaled - mean[:, np.newaxis]) * there, np.float32)
    return Residuals(
        (
            (scaled[:, newest] - forecast) * there[:, newest],
            scaled[:, newest] * there[:, newest],
            spread,
        ),
        there,
        forecast,
    )


def summed(cells: Float32Array) -> Float32Array:
    """Return the sums [N, F] over the rows of cells [N, R, F], row by row: in an order that depends on nothing else."""
    total = np.zeros((len(cells), cells.shape[2]), np.float32)
    for row in range(cells.shape[1]):
        total += cells[:, row]
    return total


def are_measured(filled: Float32Array, present: BoolArray) -> BoolArray:
    """Return which features of windows [N, T, F] are scored, [N, F]: those with a newest value that seem to be measured.

    One that is 0 or 1 all the time is a command or a flag; one that never falls, and rises often, counts something. If all
    features of a window are like that, all are scored.
    """
    is_flag = ((filled == 0.0) | (filled == 1.0)).all(axis=1)
    steps = filled[:, 1:] - filled[:, :-1]
    counts = (steps >= 0).all(axis=1) & ((steps > 0).sum(axis=1) >= COUNTING_SHARE * steps.shape[1])
    newest = present[:, -1]
    measured = newest & ~is_flag & ~counts
    return np.asarray(np.where(measured.any(axis=1)[:, np.newaxis], measured, newest))


def largest(errors: Float32Array, scored: BoolArray) -> tuple[Float32Array, BoolArray]:
    """Return the log errors [N, M] of errors [N, M, F], and which features [N, M, F] make them up.

    The error of a window is the mean of its largest quarter of scored features [N, F], for most faults show in few features.
    NaN for a window without any.
    """
    count = -(-scored.sum(axis=1) // 4)
    ranked = np.where(scored[:, np.newaxis], errors, np.float32(-1.0))
    order = np.argsort(-ranked, axis=2, kind="stable")
    taken = np.arange(errors.shape[2]) < count[:, np.newaxis, np.newaxis]
    chosen = np.zeros(errors.shape, np.bool_)
    np.put_along_axis(chosen, order, np.broadcast_to(taken, order.shape), axis=2)
    total = np.zeros(errors.shape[:2], np.float32)
    for at in range(errors.shape[2]):
        total += np.where(chosen[:, :, at], errors[:, :, at], np.float32(0.0))
    mean = total / np.maximum(count, 1).astype(np.float32)[:, np.newaxis]
    logs = np.log(mean + LOG_OFFSET)
    return np.where(count[:, np.newaxis] > 0, logs, np.float32(np.nan)), chosen
