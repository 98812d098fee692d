"""Simple detectors that a model should beat. Each is fitted to healthy readings of one sensor, and is causal.

Windowed PCA sees relations and rhythm; the robust z-score sees values out of range; the last difference sees jumps; random
scores show what chance is worth on the given labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.windowed_pca import fit_windowed_pca
from stream_detector.readings import BoolArray, Float64Array

#: Fewer readings than this are nothing to fit to.
LEAST_TRAINING_ROWS = 64
#: A baseline is fitted to this first share of its training readings.
FITTED_SHARE = 0.7
#: Of the scores of the rest, the quantile that is its alarm threshold.
THRESHOLD_QUANTILE = 0.995
WINDOW_LENGTH = 32
VARIANCE = 0.9
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution

#: Values [N, F] in the order of time, NaN = missing, to scores [N].
_Score = Callable[[Float64Array], Float64Array]


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector says of N rows of a sensor."""

    scores: Float64Array  # [N] higher is worse; NaN: not scored
    thresholds: Float64Array  # [N] NaN where not scored
    alarms: BoolArray  # [N]


def detect(name: str, training: Float64Array, values: Float64Array, random: np.random.Generator) -> Detection:
    """Fit one of BASELINES to training [M, F] and judge values [N, F] by it, both of one sensor in the order of time.

    M must be at least LEAST_TRAINING_ROWS. A missing value (NaN) is never unusual.
    """
    fitted = int(len(training) * FITTED_SHARE)
    score = BASELINES[name](training[:fitted], random)
    threshold = float(np.quantile(score(training)[fitted:], THRESHOLD_QUANTILE))
    scores = score(values)
    return Detection(scores, np.full(len(scores), threshold), scores > threshold)


def _windowed_pca(training: Float64Array, _random: np.random.Generator) -> _Score:
    """The mean squared residual of the window that ends with a row."""
    return fit_windowed_pca(training, WINDOW_LENGTH, VARIANCE).score


def _robust_z(training: Float64Array, _random: np.random.Generator) -> _Score:
    """The largest distance of a feature from its median, in deviations by the median absolute deviation."""
    known = np.where(np.isnan(training).all(axis=0), 0.0, training)
    median = np.nanmedian(known, axis=0)
    deviation = _MAD_TO_DEVIATION * np.nanmedian(np.abs(known - median), axis=0)
    scale = _first_positive(deviation, np.nanstd(known, axis=0))  # half of the values may be equal
    return lambda values: _largest(np.abs(values - median) / scale)


def _last_difference(training: Float64Array, _random: np.random.Generator) -> _Score:
    """The largest change of a feature since the row before, in root mean squares of its changes."""
    changes = np.nan_to_num(np.diff(training, axis=0))
    scale = _first_positive(np.sqrt(np.mean(changes**2, axis=0)))
    return lambda values: _largest(np.abs(np.diff(values, axis=0, prepend=values[:1])) / scale)


def _random(_training: Float64Array, random: np.random.Generator) -> _Score:
    return lambda values: random.random(len(values))


#: By name, in the order of reports.
BASELINES: Mapping[str, Callable[[Float64Array, np.random.Generator], _Score]] = {
    "windowed PCA": _windowed_pca,
    "robust z-score": _robust_z,
    "last difference": _last_difference,
    "random": _random,
}


def _largest(deviations: Float64Array) -> Float64Array:
    """Return the largest of each row; what is missing counts as none."""
    return np.asarray(np.nan_to_num(deviations, posinf=np.finfo(np.float64).max).max(axis=1))


def _first_positive(*scales: Float64Array) -> Float64Array:
    """Return the first positive scale of each feature; 1 where there is none."""
    chosen = np.ones_like(scales[0])
    for scale in reversed(scales):
        chosen = np.where(scale > 0.0, scale, chosen)
    return chosen
