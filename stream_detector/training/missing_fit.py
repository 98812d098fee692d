"""Measures how hidden features move the members' log errors, on healthy windows that no member was fitted to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from stream_detector.model.missing_levels import MissingLevels
from stream_detector.readings import Float32Array, Float64Array, FloatArray, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.training.data_split import timed_windows
from stream_detector.training.preparation import Prepared

#: From raw windows [N, T, F] and their scales to log errors [N, M].
LogErrors = Callable[[Float32Array, Scales], Float32Array]

#: Windows per pattern of hidden features.
WINDOWS = 256
#: Upper limit of the pairs that are measured: the most correlated ones, which can replace each other. The rest add up.
MOST_PAIRS = 120
#: The spread of log errors is how far the mean of the largest tenth lies above the mean of all.
TAIL_SHARE = 0.1
#: Windows that are corrected at a time.
CHUNK_WINDOWS = 4096


def measure_missing_levels(log_errors: LogErrors, prepared: Prepared, runs: Int64Array, rows_read: Int64Array) -> MissingLevels:
    """Measure what missing features do to the log errors, on windows spread evenly over the runs."""
    chosen = runs[np.unique(np.linspace(0, len(runs) - 1, min(WINDOWS, len(runs))).astype(np.int64))]
    windows = timed_windows(prepared.dataset, chosen, prepared.config.window_length)
    scales = prepared.scales.of(prepared.dataset.codes[chosen])
    return fit_missing_levels(log_errors, windows, scales, prepared.imputation.moments.covariance, rows_read)


def corrected(prepared: Prepared, levels: MissingLevels, ends: Int64Array, log_errors: Float32Array) -> Float32Array:
    """Correct log errors [W, M] for the features that are missing in their windows."""
    with_gaps = np.flatnonzero(np.isnan(prepared.dataset.values).any(axis=1))
    first = np.searchsorted(with_gaps, ends - prepared.config.window_length + 1)
    affected = np.flatnonzero(first < np.searchsorted(with_gaps, ends, side="right"))
    found = log_errors.copy()
    for start in range(0, len(affected), CHUNK_WINDOWS):
        chosen = affected[start : start + CHUNK_WINDOWS]
        windows = timed_windows(prepared.dataset, ends[chosen], prepared.config.window_length)
        found[chosen] = levels.correct(log_errors[chosen], windows)
    return found


def fit_missing_levels(
    log_errors: LogErrors, windows: Float32Array, scales: Scales, correlation: Float64Array, rows_read: Int64Array
) -> MissingLevels:
    """Measure on healthy raw windows [N, T, F]; `correlation` [F, F] chooses the pairs."""
    features = windows.shape[2]
    healthy = _moments(log_errors(windows, scales))
    members = healthy.shape[1]

    def change(hidden: Sequence[int]) -> Float64Array:
        """Return how shift and log spread [2, M] change without these features; 0 where nothing is left to score."""
        masked = windows.copy()
        masked[:, :, list(hidden)] = np.nan
        changed = _moments(log_errors(masked, scales)) - healthy
        return np.nan_to_num(changed)

    single, pair = np.zeros((2, members, features)), np.zeros((2, members, features, features))
    for feature in range(features if features > 1 else 0):
        single[:, :, feature] = change([feature])
    for first, second in _pairs(correlation):
        both = change([first, second]) - single[:, :, first] - single[:, :, second]
        pair[:, :, first, second] = pair[:, :, second, first] = both
    return MissingLevels(
        single.astype(np.float32), pair.astype(np.float32), healthy[0].astype(np.float32), rows_read.astype(np.int64)
    )


def _pairs(correlation: Float64Array) -> list[tuple[int, int]]:
    """Return at most MOST_PAIRS pairs of features, the most correlated ones; none if no third feature is left to score."""
    features = len(correlation)
    if features < 3:
        return []
    ranked = sorted(itertools.combinations(range(features), 2), key=lambda pair: -abs(correlation[pair]))
    return ranked[:MOST_PAIRS]


def mean_and_excess(log_errors: FloatArray) -> Float64Array:
    """Return the mean of log errors [N, M], and how far that of the largest tenth is above it [2, M]; NaN if none is scored."""
    scored = log_errors[~np.isnan(log_errors[:, 0])].astype(np.float64)
    if not len(scored):
        return np.full((2, log_errors.shape[1]), np.nan)
    mean = scored.mean(axis=0)
    largest = np.sort(scored, axis=0)[-max(1, int(TAIL_SHARE * len(scored))) :].mean(axis=0)
    return np.stack([mean, largest - mean])


def _moments(log_errors: Float32Array) -> Float64Array:
    """Return mean and log spread [2, M] of log errors [N, M]; NaN if none is scored."""
    mean, excess = mean_and_excess(log_errors)
    return np.stack([mean, np.log(np.maximum(excess, 1e-6))])
