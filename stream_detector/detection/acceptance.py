"""Finds the features whose new normal an accepted incident shows: only these are learned again, the others keep their limit.

The features are hidden one after the other, each time the one without which the newest window is least surprising, until it is
no longer anomalous. If that takes more than half of the features, the whole sensor has another point of operation, and all of
them are learned again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.state.windows import Appended

#: From raw windows [N, T, F] and their scales to log errors [N, M]; blocks.
LogErrors = Callable[[Float32Array, Scales], Float32Array]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A reading at which an incident was accepted as the new normal state."""

    position: int  # of the accepted reading
    group: int
    levels: Float64Array  # [M] of the sensor
    limit: float  # a surprise above it is anomalous


def scored_windows(appended: Appended, scales: Scales, chosen: Int64Array) -> Float32Array:
    """Return the windows [K, T, F] as of these accepted readings, without the features that are hidden there."""
    windows = appended.windows(chosen)
    if scales.hidden is not None:
        hidden = scales.hidden[chosen]
        some = np.flatnonzero(hidden.any(axis=1))
        windows[some] = np.where(hidden[some][:, np.newaxis], np.float32(np.nan), windows[some])
    return windows


def shifted_features(
    log_errors: LogErrors, window: Float32Array, scales: Scales, accepted: Acceptance, rules: DecisionRules
) -> BoolArray:
    """Return the features [F] to learn again, from the window [1, T, F] of the accepted reading and its scale; blocks."""
    measured = ~np.isnan(window[0, -1])
    left, hidden = np.flatnonzero(measured).tolist(), np.zeros(len(measured), np.bool_)
    while left and hidden.sum() <= len(measured) // 2:
        trials = np.repeat(window, len(left), axis=0)
        trials[:, :, hidden] = np.nan
        trials[np.arange(len(left)), :, left] = np.nan
        errors = log_errors(trials, scales.take(np.zeros(len(left), np.int64))).astype(np.float64)
        surprises = (rules.tails.surprise(errors - accepted.levels) * rules.weights).sum(axis=1)
        surprises = np.where(np.isnan(surprises), np.inf, surprises)  # nothing is left to score
        best = int(surprises.argmin())
        hidden[left.pop(best)] = True
        if surprises[best] <= accepted.limit:
            return np.asarray(hidden)
    return np.asarray(measured)


def is_still_there(window: Float32Array, scales: Scales, features: BoolArray) -> bool:
    """Return whether these features [F] of a window [1, T, F] are where their scale says, within a deviation in the mean."""
    values = window[0][:, features].astype(np.float64)
    present = ~np.isnan(values)
    mean = np.where(present, values, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return bool((np.abs(mean - scales.location[0, features]) < scales.deviation[0, features]).all())
