"""The baselines: simple causal detectors that a model should beat, each fitted to healthy readings of one sensor.

Windowed PCA detects broken relations and rhythms, the robust z-score values out of range, and the last difference jumps. Random
scores show what chance achieves on the given labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.windowed_pca import fit_windowed_pca
from stream_detector.readings import BoolArray, Float64Array

#: Fewer training readings than this are too few to fit a baseline.
LEAST_TRAINING_ROWS = 64
#: The first share of the training readings, to which a baseline is fitted.
FITTED_SHARE = 0.7
#: The alarm threshold is this quantile of the scores of the other training readings.
THRESHOLD_QUANTILE = 0.995
WINDOW_LENGTH = 32
VARIANCE = 0.9
_MAD_TO_DEVIATION = 1.4826  # standard deviation over median absolute deviation, of a normal distribution

#: Maps values [N, F] in time order, NaN = missing, to scores [N].
_Score = Callable[[Float64Array], Float64Array]


@dataclass(frozen=True, slots=True)
class Detection:
    """A detector's output for N rows of a sensor."""

    scores: Float64Array  # [N] higher is more anomalous; NaN: not scored
    thresholds: Float64Array  # [N] NaN where not scored
    alarms: BoolArray  # [N]
    holding: BoolArray  # [N] rows that hold an incident open, if one is open; all alarms do


def detect(name: str, training: Float64Array, values: Float64Array, random: np.random.Generator) -> Detection:
    """Fit one of BASELINES to training [M, F] and apply it to values [N, F], both of one sensor in time order.

    M must be at least LEAST_TRAINING_ROWS. A missing value (NaN) never raises the score.
    """
    fitted = int(len(training) * FITTED_SHARE)
    score = BASELINES[name](training[:fitted], random)
    threshold = float(np.quantile(score(training)[fitted:], THRESHOLD_QUANTILE))
    scores = score(values)
    alarms = scores > threshold
    return Detection(scores, np.full(len(scores), threshold), alarms, alarms)


def _windowed_pca(training: Float64Array, _random: np.random.Generator) -> _Score:
    """Score a row by the mean squared residual of the window that ends with it."""
    return fit_windowed_pca(training, WINDOW_LENGTH, VARIANCE).score


def _robust_z(training: Float64Array, _random: np.random.Generator) -> _Score:
    """Score a row by the largest distance of a feature from its median, in deviations (scaled MAD)."""
    known = np.where(np.isnan(training).all(axis=0), 0.0, training)
    median = np.nanmedian(known, axis=0)
    deviation = _MAD_TO_DEVIATION * np.nanmedian(np.abs(known - median), axis=0)
    scale = _first_positive(deviation, np.nanstd(known, axis=0))  # the MAD is 0 if half of the values are equal
    return lambda values: _largest(np.abs(values - median) / scale)


def _last_difference(training: Float64Array, _random: np.random.Generator) -> _Score:
    """Score a row by the largest change of a feature since the previous row, relative to the RMS of its changes."""
    changes = np.nan_to_num(np.diff(training, axis=0))
    scale = _first_positive(np.sqrt(np.mean(changes**2, axis=0)))
    return lambda values: _largest(np.abs(np.diff(values, axis=0, prepend=values[:1])) / scale)


def _random(_training: Float64Array, random: np.random.Generator) -> _Score:
    return lambda values: random.random(len(values))


#: By name, in report order.
BASELINES: Mapping[str, Callable[[Float64Array, np.random.Generator], _Score]] = {
    "windowed PCA": _windowed_pca,
    "robust z-score": _robust_z,
    "last difference": _last_difference,
    "random": _random,
}


def _largest(deviations: Float64Array) -> Float64Array:
    """Return the largest deviation of each row; a missing one counts as 0."""
    return np.asarray(np.nan_to_num(deviations, posinf=np.finfo(np.float64).max).max(axis=1))


def _first_positive(*scales: Float64Array) -> Float64Array:
    """Return the first positive scale per feature, or 1."""
    chosen = np.ones_like(scales[0])
    for scale in reversed(scales):
        chosen = np.where(scale > 0.0, scale, chosen)
    return chosen
