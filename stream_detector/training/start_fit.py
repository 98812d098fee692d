"""Measures how the starts of machines differ from windows of running, by the starts that the history holds.

What few rows do to the errors is measured on healthy windows of which the older rows are hidden (partial_fit.py): that is a
network that was away while the machine ran. Where machines stop and start, the first readings after a gap are of a cold
machine that runs up. No full window ends there, so neither the members nor the limit have seen them, and each start would be a
false alarm.

So the starts of the history are scored as the stream scores them. By the number of rows, the shifts are raised to the mean of
the starts, and the shares are reduced until the largest surprise of the starts is as in full windows. Each start is compared
with the mean of the others, because the next one will be. All that can only make few rows count less.

The next start is more surprising than all S that were measured with a probability of 1 / (S + 1). Since the history holds S of
them, about one start in as long a time exceeds what was measured. Fewer than FEWEST starts do not tell how much starts vary:
then windows that are not full count nothing. A history without a start shows that starts are rare, and nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.model.missing_levels import MissingLevels
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.appended import SEAM_READINGS
from stream_detector.state.lost_readings import with_lost_rows
from stream_detector.state.record_layout import step_codes
from stream_detector.training.data_split import gather, starts_of
from stream_detector.training.missing_fit import LogErrors
from stream_detector.training.partial_fit import CAUTION, largest_surprise
from stream_detector.training.preparation import Prepared

#: Starts that are measured, at most; fewer of long windows, so that about WINDOWS are scored, but LEAST if there are so many.
MOST, WINDOWS, LEAST = 128, 8192, 16
#: Windows that are scored at a time.
CHUNK_WINDOWS = 1024
#: Fewer do not tell how much starts vary.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class StartErrors:
    """Log errors of the first windows after S starts, before they are full: W windows, M members."""

    starts: Int64Array  # [W] ascending, from 0 to S - 1
    rows: Int64Array  # [W] since the start, from 1 on
    ends: Int64Array  # [W]
    errors: Float32Array  # [W, M] NaN: not scored

    def take(self, kept: BoolArray) -> StartErrors:
        """Return those of some of the members [M]."""
        return StartErrors(self.starts, self.rows, self.ends, self.errors[:, kept])


def score_starts(log_errors: LogErrors, missing: MissingLevels, prepared: Prepared) -> StartErrors:
    """Score the windows after starts that are spread evenly over the history, as the stream does."""
    dataset, length = prepared.dataset, prepared.config.window_length
    firsts, counts = starts_of(dataset, prepared.gap_limits_ms)
    known = np.isin(dataset.codes[firsts], dataset.codes[prepared.split.calibration])  # others are not scored before
    firsts, counts = firsts[known], counts[known]
    most_rows = length - SEAM_READINGS if length > SEAM_READINGS else length - 1
    most = min(MOST, max(LEAST, WINDOWS // most_rows), len(firsts))
    chosen = np.unique(np.linspace(0, len(firsts) - 1, most).astype(np.int64))
    counts = np.minimum(counts[chosen], most_rows)
    starts = np.repeat(np.arange(len(chosen)), counts)
    rows = np.arange(1, len(starts) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    ends = np.repeat(firsts[chosen], counts) + rows - 1
    found = [np.zeros((0, len(missing.centre)), np.float32)]
    for first in range(0, len(ends), CHUNK_WINDOWS):
        part = slice(first, first + CHUNK_WINDOWS)
        shown = _windows(prepared, ends[part], rows[part])
        found.append(missing.correct(log_errors(shown, prepared.scales.of(dataset.codes[ends[part]])), shown))
    return StartErrors(starts, rows, ends, np.concatenate(found, dtype=np.float32))


def _windows(prepared: Prepared, ends: Int64Array, rows: Int64Array) -> Float32Array:
    """Return the windows [W, T, F] that end at these rows, with only the newest `rows` [W] of each."""
    length, place = prepared.config.window_length, np.arange(prepared.config.window_length)
    values, times_ms = gather(prepared.dataset.values, ends, length), prepared.dataset.times_ms
    values[place < (length - rows)[:, np.newaxis]] = np.nan
    at = ends[:, np.newaxis] + place - (length - 1)
    before_ms = np.minimum(times_ms[at - 1], times_ms[at])  # the oldest rows may be another sensor's, and are not read
    return with_lost_rows(values, step_codes(before_ms, times_ms[at]), rows)


def with_starts(
    partial: PartialLevels, found: StartErrors, levels: Float64Array, calibration: Calibration, largest: float
) -> PartialLevels:
    """Return the levels of few rows with those of the starts; `levels` [W, M] are of their sensors.

    `largest` is the largest surprise of full windows.
    """
    known = ~np.isnan(found.errors[:, 0])
    starts, rows, above = found.starts[known], found.rows[known], (found.errors - levels)[known]
    shift, share = partial.shift.copy(), partial.share.copy()
    knot = np.abs(np.log(rows)[:, np.newaxis] - np.log(partial.rows[:-1])).argmin(axis=1) if len(rows) else rows
    for at in np.unique(knot).tolist():
        usual = _mean_by_start(above[knot == at], starts[knot == at])
        shift[at] = np.maximum(shift[at], usual.mean(axis=0))
    raised = PartialLevels(partial.rows, shift, share).by_rows().shift
    for at in np.unique(knot).tolist():
        here = knot == at
        count = len(np.unique(starts[here]))
        if count < FEWEST:
            share[at] = 0.0
            continue
        from_others = (above[here] - raised[rows[here] - 1]) * count / (count - 1)
        share[at] *= _reduction(from_others * share[at], starts[here], largest, calibration)
    return PartialLevels(partial.rows, shift, share)


def _mean_by_start(values: Float64Array, starts: Int64Array) -> Float64Array:
    """Return the mean [S, M] of the values [W, M] of each start."""
    _, first, counts = np.unique(starts, return_index=True, return_counts=True)
    return np.asarray(np.add.reduceat(values, first, axis=0) / counts[:, np.newaxis])


def _reduction(above_level: Float64Array, starts: Int64Array, largest: float, calibration: Calibration) -> float:
    """Return the factor with which the starts, each at its worst, are no more surprising than `largest`; 1 if they are not."""
    first = np.unique(starts, return_index=True)[1]

    def worst(factor: float) -> float:
        return largest_surprise(above_level * factor, calibration, first)

    if worst(1.0) <= largest:
        return 1.0
    return CAUTION * next((factor for factor in np.linspace(1.0, 0.0, 101).tolist() if worst(factor) <= largest), 0.0)
