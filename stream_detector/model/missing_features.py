"""Fills the gaps of windows with what the other features let expect: one instrument that dies must not look like a fault.

A short gap repeats the last value (missing_values.py). A feature that misses GAP_ROWS rows or more in a row anywhere in the
window is *gone*: where it is missing, it takes its conditional expectation given the features that are not gone. For scaled
values of one row with covariance S, observed features o and a gone feature m of a normal distribution, that is

    E[m | o] = S_mo (S_oo + r I)^-1 o          (for example Bishop 2006, Pattern Recognition and Machine Learning, eq. 2.81)

with a small ridge r. Where the feature was read before in the window, its last residual from that expectation is added, times
the residual's autocorrelation to the power of its age (the expectation of a process of order 1). So the filled value starts at
the last one read and moves to what the other features say. A linear member reads expectations in place of missing inputs, and
so gives the expectation of its own output.

A row without any value is a reading that was lost (state/lost_readings.py), not an instrument that died: it lies on the line
between the rows around it (input_scaling.py), and makes no feature gone.

The arithmetic of a window never depends on the other windows in the call, so results are the same bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.input_scaling import fill, scale, unscale
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.running_scale import Scales

#: Missing values in a row from which a feature is gone; shorter gaps repeat the last value.
GAP_ROWS = 3
#: Ridge of the conditional expectation, in scaled units squared: the variance of a typical feature is 1.
RIDGE = 0.05
#: Patterns of gone features whose weights are kept.
MOST_PATTERNS = 1024


@dataclass(frozen=True, slots=True)
class PatternWeights:
    """How a pattern of G gone features is filled from the O others."""

    gone: Int64Array  # [G]
    others: Int64Array  # [O]
    weights: Float32Array  # [O, G] of the conditional expectation
    decay: Float32Array  # [T, G] autocorrelation of the residual, to the power of its age


@dataclass(frozen=True, slots=True)
class RowMoments:
    """The second moments of scaled rows, from which any pattern of gone features is filled. F features."""

    covariance: Float64Array  # [F, F] of a row with itself
    lagged: Float64Array  # [F, F] of a row with the row before it


class Imputation:
    """Fills windows; keeps the weights of the patterns that it has met. Threads may share it."""

    def __init__(self, moments: RowMoments) -> None:
        self.moments = moments
        self._patterns: dict[tuple[bytes, int], PatternWeights] = {}

    def fill(self, windows: Float32Array, scales: Scales) -> tuple[Float32Array, BoolArray]:
        """Fill missing values (NaN) of raw windows [N, T, F]; return the filled windows and which values were present."""
        filled, present = fill(windows, scales.location)
        if filled is windows:
            return filled, present
        gone = gone_features(present)
        some = np.flatnonzero(gone.any(axis=1))
        if len(some):
            patterns, of_pattern = np.unique(gone[some], axis=0, return_inverse=True)
            for number, pattern in enumerate(patterns):
                self._fill_pattern(filled, present, scales, some[of_pattern.reshape(-1) == number], pattern)
        return filled, present

    def _fill_pattern(
        self, filled: Float32Array, present: BoolArray, scales: Scales, chosen: Int64Array, gone: BoolArray
    ) -> None:
        """Fill the gone features [F] of the chosen windows, in place."""
        location, deviation = scales.location[chosen], scales.deviation[chosen]
        scaled = np.asarray(scale(filled[chosen], location, deviation), np.float32)
        pattern = self.pattern(gone, scaled.shape[1])
        expected = np.zeros((*scaled.shape[:2], len(pattern.gone)), np.float32)
        for other, weights in zip(pattern.others.tolist(), pattern.weights, strict=True):
            expected += scaled[:, :, other, np.newaxis] * weights  # one by one: a matrix product depends on how many there are
        seen = present[chosen][:, :, pattern.gone]
        expected += _decayed_residual(scaled[:, :, pattern.gone] - expected, seen, pattern.decay)
        raw = unscale(expected, location[:, pattern.gone], deviation[:, pattern.gone])
        largest = np.finfo(np.float32).max
        cells = np.ix_(chosen, np.arange(scaled.shape[1]), pattern.gone)
        filled[cells] = np.where(seen, filled[cells], np.clip(raw, -largest, largest))

    def pattern(self, gone: BoolArray, steps: int) -> PatternWeights:
        """Return how windows of this many steps are filled when these features [F] are gone."""
        key = gone.tobytes(), steps
        found = self._patterns.get(key)
        if found is None:
            if len(self._patterns) >= MOST_PATTERNS:
                self._patterns.clear()
            found = self._patterns[key] = self._weigh(np.flatnonzero(gone), np.flatnonzero(~gone), steps)
        return found

    def _weigh(self, gone: Int64Array, others: Int64Array, steps: int) -> PatternWeights:
        covariance = self.moments.covariance
        of_others = covariance[np.ix_(others, others)] + RIDGE * np.eye(len(others))
        weights = np.linalg.solve(of_others, covariance[np.ix_(others, gone)])
        contrast = np.zeros((len(covariance), len(gone)))  # the residual is a row times this
        contrast[gone, np.arange(len(gone))] = 1.0
        contrast[others] = -weights
        variance = (contrast * (covariance @ contrast)).sum(axis=0)
        autocovariance = (contrast * (self.moments.lagged @ contrast)).sum(axis=0)
        correlation = np.clip(autocovariance / np.maximum(variance, 1e-9), 0.0, 1.0)
        decay = np.power(correlation, np.arange(steps)[:, np.newaxis])
        return PatternWeights(gone, others, weights.astype(np.float32), decay.astype(np.float32))


def fit_row_moments(scaled: Float32Array) -> RowMoments:
    """Fit to scaled windows [N, T, F] without missing values, T at least 2."""
    newest, before = scaled[:, -1].astype(np.float64), scaled[:, -2].astype(np.float64)
    return RowMoments(newest.T @ newest / len(newest), newest.T @ before / len(newest))


def gone_features(present: BoolArray) -> BoolArray:
    """Return which features [N, F] of windows [N, T, F] miss GAP_ROWS rows or more in a row (all rows, if fewer have values).

    A row without any value tells nothing of a single feature.
    """
    rows = min(GAP_ROWS, present.shape[1])
    missing = only_features(~present)
    run = missing[:, rows - 1 :].copy()
    for back in range(1, rows):
        run &= missing[:, rows - 1 - back : present.shape[1] - back]
    never = missing.any(axis=1) & ~present.any(axis=1)
    return np.asarray(run.any(axis=1) | never)


def only_features(missing: BoolArray) -> BoolArray:
    """Return what is missing in windows [N, T, F] in rows that have some value."""
    return np.asarray(missing & ~missing.all(axis=2, keepdims=True))


def _decayed_residual(residual: Float32Array, seen: BoolArray, decay: Float32Array) -> Float32Array:
    """Return for each step the last seen residual [N, T, G] times its decay [T, G]; before the first, that one; else 0."""
    steps = np.arange(seen.shape[1])[:, np.newaxis]
    last = np.maximum.accumulate(np.where(seen, steps, -1), axis=1)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), -1)[:, np.newaxis]
    nearest = np.where(last >= 0, last, first)
    known = np.take_along_axis(residual, np.maximum(nearest, 0), axis=1)
    age = np.abs(steps - np.maximum(nearest, 0))
    faded = known * np.take_along_axis(np.broadcast_to(decay, seen.shape), age, axis=1)
    return np.where(nearest >= 0, faded, np.float32(0.0))
