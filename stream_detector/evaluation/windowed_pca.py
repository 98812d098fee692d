"""Windowed PCA: the baseline that a trained model has to beat in `evaluate` and at the promotion gate.

The rows of a window, concatenated, are one vector; its score is the part that the principal components of healthy windows
cannot reconstruct. Knows neither models nor files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stream_detector.missing_values import forward_fill
from stream_detector.readings import Float64Array, Int64Array

#: Default limit of windows per fit, spread evenly over the data.
MAX_FIT_WINDOWS = 20_000
#: With more columns (window length x features) than this, a fit uses at most this many windows, to bound its cost.
MAX_COVARIANCE_COLUMNS = 2_000
#: A deviation below this share of a feature's largest absolute value is rounding, not variation.
SMALLEST_RELATIVE_DEVIATION = 1e-9
_CHUNK_CELLS = 4_000_000  # of windows in memory at a time


@dataclass(frozen=True, slots=True)
class WindowedPca:
    """A fitted baseline for F features and windows of T rows, flattened to T x F columns."""

    window_length: int
    mean: Float64Array  # [F]
    deviation: Float64Array  # [F], positive
    center: Float64Array  # [T x F] mean of the scaled windows
    components: Float64Array  # [K, T x F] orthonormal rows; K may be 0

    def score(self, values: Float64Array) -> Float64Array:
        """Score values [N, F] in time order: return [N], the mean squared residual of the window that ends with each row.

        The unit is a squared standard deviation. Causal: a score depends on no later row. The first windows are padded with
        the first row. A missing value (NaN) takes the last value before it, or the mean.
        """
        scaled = _scaled(values, self.mean, self.deviation)
        scores = np.empty(len(scaled))
        for ends, windows in _windows(scaled, self.window_length, np.arange(len(scaled)), self.center):
            residual = windows - (windows @ self.components.T) @ self.components
            scores[ends] = np.mean(residual**2, axis=1)
        return scores


def fit_windowed_pca(
    values: Float64Array, window_length: int = 32, variance: float = 0.9, max_windows: int = MAX_FIT_WINDOWS
) -> WindowedPca:
    """Fit to healthy values [N, F] of one sensor in time order (NaN: missing), N at least 1.

    Keeps the fewest components that explain more than the share `variance` of the windows' variance, as
    sklearn.decomposition.PCA(variance) does. Deterministic: uses at most `max_windows` evenly spread windows.
    """
    mean, deviation = _scale(values)
    scaled = _scaled(values, mean, deviation)
    columns = window_length * values.shape[1]
    most = max_windows if columns <= MAX_COVARIANCE_COLUMNS else min(max_windows, MAX_COVARIANCE_COLUMNS)
    ends = np.arange(0, len(scaled), -(-len(scaled) // most))
    center = np.zeros(columns)
    for _, windows in _windows(scaled, window_length, ends, center=np.zeros(columns)):
        center += windows.sum(axis=0) / len(ends)
    leading = _components_of_covariance if columns <= len(ends) else _components_of_gram
    return WindowedPca(window_length, mean, deviation, center, leading(scaled, window_length, ends, center, variance))


def _components_of_covariance(
    scaled: Float64Array, window_length: int, ends: Int64Array, center: Float64Array, variance: float
) -> Float64Array:
    """Return the leading components [K, C] from the column products [C, C], accumulated chunk by chunk."""
    products = np.zeros((len(center), len(center)))
    for _, windows in _windows(scaled, window_length, ends, center):
        products += windows.T @ windows
    energies, vectors = np.linalg.eigh(products)
    return np.ascontiguousarray(vectors[:, _leading(energies, variance)].T)


def _components_of_gram(
    scaled: Float64Array, window_length: int, ends: Int64Array, center: Float64Array, variance: float
) -> Float64Array:
    """Return the same components from the window products [W, W], for fewer windows than columns."""
    centered = np.concatenate([windows for _, windows in _windows(scaled, window_length, ends, center)])
    energies, vectors = np.linalg.eigh(centered @ centered.T)
    kept = _leading(energies, variance)
    return np.asarray((vectors[:, kept] / np.sqrt(energies[kept])).T @ centered)


def _leading(energies: Float64Array, variance: float) -> Int64Array:
    """Return the positions of the fewest largest energies (ascending) that exceed a share of their sum; none if it is 0."""
    shares = np.cumsum(np.maximum(energies[::-1], 0.0))
    if not shares[-1] > 0.0:
        return np.empty(0, np.int64)
    count = int(np.searchsorted(shares / shares[-1], variance, side="right")) + 1
    positive = int(np.count_nonzero(energies > 1e-12 * energies[-1]))
    return np.arange(len(energies) - min(count, positive), len(energies))[::-1]


def _scale(values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return mean and deviation [F]: 0 and 1 for a feature without values, deviation 1 for one that does not vary."""
    present = ~np.isnan(values)
    counts = np.maximum(present.sum(axis=0), 1)
    known = np.where(present, values, 0.0)
    mean = known.sum(axis=0) / counts
    deviation = np.sqrt((np.where(present, known - mean, 0.0) ** 2).sum(axis=0) / counts)
    varies = deviation > SMALLEST_RELATIVE_DEVIATION * np.abs(known).max(axis=0)
    return mean, np.where(varies, deviation, 1.0)


def _scaled(values: Float64Array, mean: Float64Array, deviation: Float64Array) -> Float64Array:
    """Return the values [N, F] in deviations from the mean, forward-filled; 0 where there is no earlier value."""
    filled = forward_fill(values, ~np.isnan(values))
    return np.where(np.isnan(filled), 0.0, (filled - mean) / deviation)


def _windows(
    scaled: Float64Array, window_length: int, ends: Int64Array, center: Float64Array
) -> Iterator[tuple[Int64Array, Float64Array]]:
    """Yield chunks of positions and of the windows [n, T x F] ending there, oldest row first, minus `center`."""
    if not len(ends):
        return
    padded = np.concatenate([np.repeat(scaled[:1], window_length - 1, axis=0), scaled])
    views = np.moveaxis(sliding_window_view(padded, window_length, axis=0), -1, 1)  # [N, T, F]
    columns = views.shape[1] * views.shape[2]
    rows = max(1, _CHUNK_CELLS // columns)
    for start in range(0, len(ends), rows):
        part = ends[start : start + rows]
        yield part, views[part].reshape(len(part), columns) - center
