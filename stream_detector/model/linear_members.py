"""The linear members: each predicts rows of a window with fixed matrices. Fitted with NumPy, run in the network's graph.

    pca-W        principal components of the newest W rows that keep 90 % of their variance; the error is the residual
    forecast-H   ridge regression from older rows to the newest H; the error is the difference
    change-W     principal components of the changes from row to row over the newest W
    others-H     ridge regression of each feature's newest H rows on the same rows of all other features (other_features.py)

Values are scaled (input_scaling.py). Members of different lengths detect different faults: a spike is lost in a long window,
and a drift in a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.model.other_features import fit_other_features
from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import Float32Array, Float64Array

KEPT_VARIANCE = 0.9
#: Upper limit of the components in a basis, regardless of the number of inputs.
MOST_COMPONENTS = 200
RIDGE = 0.1
PCA, FORECAST, CHANGE, OTHERS = "pca", "forecast", "change", "others"


@dataclass(frozen=True, slots=True)
class LinearSpec:
    """Which rows a linear member reads, and which it predicts."""

    kind: str  # pca, forecast, change, others
    rows_read: int  # how many of the newest rows it reads in all
    rows_predicted: int  # how many of the newest rows it predicts

    @property
    def name(self) -> str:
        """The name that reports and events use."""
        return f"{self.kind}-{self.rows_predicted}"


@dataclass(frozen=True, slots=True)
class LinearMember:
    """A fitted member: expected = (input - input_mean) @ matrices + output_mean, with rows flattened."""

    spec: LinearSpec
    input_mean: Float32Array  # [I]
    matrices: tuple[Float32Array, ...]  # applied one after the other, [I, ...] to [..., O]
    output_mean: Float32Array  # [O], O = rows_predicted * F

    def expect(self, scaled: Tensor, xp: Namespace = np) -> tuple[Tensor, Tensor]:
        """Return (actual, expected), both [N, rows_predicted, F], for windows [N, T, F]. `xp` is numpy or keras.ops.

        For `change` both are changes from row to row.
        """
        features = scaled.shape[-1]
        inputs, outputs = _cut(self.spec, scaled)
        flat = xp.reshape(inputs, (-1, len(self.input_mean))) - self.input_mean
        for matrix in self.matrices:
            flat = xp.matmul(flat, matrix)
        return outputs, xp.reshape(flat + self.output_mean, (-1, self.spec.rows_predicted, features))


def linear_specs(window_length: int, with_others: bool = False) -> tuple[LinearSpec, ...]:
    """Return the linear members for windows of length T: over T/8, T/2 and T rows; `others` only if asked for."""
    short, half = max(1, window_length // 8), max(2, window_length // 2)
    specs = (
        LinearSpec(PCA, max(2, short), max(2, short)),
        LinearSpec(PCA, window_length, window_length),
        LinearSpec(FORECAST, half, 1),
        LinearSpec(FORECAST, half, short),
        LinearSpec(FORECAST, window_length, half),
        LinearSpec(CHANGE, half, half),
        *([LinearSpec(OTHERS, max(2, short), max(2, short))] if with_others else []),
    )
    fitting = [spec for spec in specs if spec.kind in (PCA, OTHERS) or spec.rows_predicted < window_length]
    return tuple({spec.name: spec for spec in fitting}.values())


def fit_linear(windows: Float32Array, specs: Sequence[LinearSpec]) -> list[LinearMember]:
    """Fit members to scaled windows [N, T, F]; equal windows give equal members."""
    fits = {PCA: _fit_components, FORECAST: _fit_forecast, CHANGE: _fit_components, OTHERS: _fit_others}
    return [fits[spec.kind](spec, windows) for spec in specs]


def _cut(spec: LinearSpec, scaled: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows that a member reads [N, ., F] and those that it predicts [N, rows_predicted, F]."""
    if spec.kind == CHANGE:
        changes = scaled[:, -spec.rows_predicted :] - scaled[:, -spec.rows_predicted - 1 : -1]
        return changes, changes
    outputs = scaled[:, -spec.rows_predicted :]
    if spec.kind == FORECAST:
        return scaled[:, -spec.rows_read : -spec.rows_predicted], outputs
    return outputs, outputs


def _fit_components(spec: LinearSpec, windows: Float32Array) -> LinearMember:
    rows, _ = _cut(spec, windows)
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    basis = _components(flat - mean)
    single = mean.astype(np.float32)
    return LinearMember(spec, single, (basis.astype(np.float32), basis.T.astype(np.float32)), single)


def _components(centred: Float64Array) -> Float64Array:
    """Return the principal components [D, k] of rows [N, D] that keep KEPT_VARIANCE, at most MOST_COMPONENTS."""
    from scipy.linalg import eigh  # only a training needs SciPy, and importing it takes a tenth of a second of each start

    covariance = centred.T @ centred
    total = float(np.trace(covariance))
    largest = (max(0, len(covariance) - MOST_COMPONENTS), len(covariance) - 1)
    values, vectors = eigh(covariance, subset_by_index=largest, overwrite_a=True, check_finite=False)
    kept = np.cumsum(np.maximum(values[::-1], 0.0)) / max(total, 1e-12)
    count = min(int(np.searchsorted(kept, KEPT_VARIANCE)) + 1, len(kept))
    return np.asarray(vectors[:, ::-1][:, :count])


def _fit_forecast(spec: LinearSpec, windows: Float32Array) -> LinearMember:
    inputs, outputs = (rows.reshape(len(windows), -1).astype(np.float64) for rows in _cut(spec, windows))
    input_mean, output_mean = inputs.mean(axis=0), outputs.mean(axis=0)
    inputs -= input_mean
    outputs -= output_mean
    penalty = RIDGE * len(windows) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ outputs)
    return LinearMember(spec, input_mean.astype(np.float32), (weights.astype(np.float32),), output_mean.astype(np.float32))


def _fit_others(spec: LinearSpec, windows: Float32Array) -> LinearMember:
    rows, _ = _cut(spec, windows)
    features = windows.shape[2]
    fitted = fit_other_features(rows.reshape(len(rows), -1).astype(np.float64), features)
    single = fitted.mean.astype(np.float32)
    return LinearMember(spec, single, (fitted.weights.astype(np.float32),), single)
