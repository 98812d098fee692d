"""Measures how few rows move the members' log errors, on healthy windows that no member was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.training.data_split import timed_windows
from stream_detector.training.missing_fit import LogErrors, mean_and_excess
from stream_detector.training.preparation import Prepared

#: Windows that are measured with each number of rows.
WINDOWS = 1024
#: The largest surprises are those of this share of the windows.
LARGEST_SHARE = 0.02
#: All shares of windows that are not full are reduced by this factor: what comes after the training differs more from it.
CAUTION = 0.85
#: An error whose largest tenth is no further above its mean than this does not depend on what is read: there was nothing.
SMALLEST_EXCESS = 1.0e-3


@dataclass(frozen=True, slots=True)
class PartialErrors:
    """Log errors of windows of which only the newest rows were shown. K numbers of rows, W windows, M members."""

    rows: Int64Array  # [K] ascending, the last is a full window
    ends: Int64Array  # [W]
    errors: Float32Array  # [K, W, M]

    def take(self, kept: BoolArray) -> PartialErrors:
        """Return those of some of the members [M]."""
        return PartialErrors(self.rows, self.ends, self.errors[:, :, kept])


def rows_measured(window_length: int) -> Int64Array:
    """Return the numbers of rows that are measured: 1, 2, 3, 4, 6, 8, 12, 16 and so on, and a full window."""
    octaves = 2 ** np.arange(int(window_length).bit_length())
    steps = np.concatenate([octaves, octaves[1:] + octaves[1:] // 2])
    return np.unique(np.append(steps[steps < window_length], window_length)).astype(np.int64)


def score_partial(log_errors: LogErrors, missing: MissingLevels, prepared: Prepared, runs: Int64Array) -> PartialErrors:
    """Score windows spread evenly over the runs, with all but the newest rows hidden."""
    ends = runs[np.unique(np.linspace(0, len(runs) - 1, min(WINDOWS, len(runs))).astype(np.int64))]
    length = prepared.config.window_length
    windows = timed_windows(prepared.dataset, ends, length)
    scales = prepared.scales.of(prepared.dataset.codes[ends])
    rows, found = rows_measured(length), []
    for count in rows.tolist():
        shown = windows.copy()
        shown[:, : length - count] = np.nan
        found.append(missing.correct(log_errors(shown, scales), shown))
    return PartialErrors(rows, ends, np.stack(found))


def fit_partial_levels(partial: PartialErrors, levels: Float64Array, calibration: Calibration) -> PartialLevels:
    """Fit to the errors above the levels [W, M] of the windows' sensors.

    First each member's mean and excess become those of full windows. Members that read the same few rows err together, so then
    all shares are reduced until the largest surprises are as in full windows too.
    """
    above = [of_rows[~np.isnan(of_rows[:, 0])] for of_rows in partial.errors - levels]
    mean, excess = np.stack([mean_and_excess(of_rows) for of_rows in above], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(excess > SMALLEST_EXCESS, np.minimum(excess[-1] / excess, 1.0), 0.0)
    shift = np.where(share > 0, mean - mean[-1], 0.0)
    shift[-1], share[-1] = 0.0, 1.0
    largest = largest_surprise(above[-1], calibration)
    for at, of_rows in enumerate(above[:-1]):
        share[at] *= CAUTION * _reduction(of_rows - shift[at], share[at], largest, calibration)
    return PartialLevels(partial.rows, shift, share)


def largest_of_full_windows(partial: PartialErrors, levels: Float64Array, calibration: Calibration) -> float:
    """Return the mean of the largest surprises of the full windows; `levels` [W, M] are those of their sensors."""
    above = partial.errors[-1] - levels
    return largest_surprise(above[~np.isnan(above[:, 0])], calibration)


def largest_surprise(above_level: Float64Array, calibration: Calibration, first: Int64Array | None = None) -> float:
    """Return the mean of the largest surprises of windows with such errors [W, M] above their level.

    Of windows in runs, which begin at `first`, it is that of the runs, each at its largest.
    """
    surprise = (calibration.tails.surprise(above_level) * calibration.weights).sum(axis=1)
    surprise = np.sort(surprise if first is None else np.maximum.reduceat(surprise, first))
    return float(surprise[-max(1, round(LARGEST_SHARE * len(surprise))) :].mean()) if len(surprise) else 0.0


def _reduction(above_level: Float64Array, share: Float64Array, largest: float, calibration: Calibration) -> float:
    """Return the factor of the shares [M] with which no more is surprising than `largest`, to within a hundredth."""
    factors = np.linspace(1.0, 0.0, 101)
    return next(
        (factor for factor in factors.tolist() if largest_surprise(above_level * share * factor, calibration) <= largest), 0.0
    )
