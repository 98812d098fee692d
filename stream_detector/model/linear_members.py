"""The linear members: what a window should be, by fixed matrices. Fitted with numpy, run in the same graph as the network.

    pca-W        principal components of the newest W rows that keep 90 % of their variance; errs by what they leave
    forecast-H   ridge regression from older rows to the newest H; errs by the difference
    change-W     principal components of the changes from row to row over the newest W

Values are scaled (input_scaling.py). Different windows and horizons see different faults: a spike is lost in a long window, and
a drift in a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import Float32Array, Float64Array

KEPT_VARIANCE = 0.9
#: A basis is no larger than this, however many inputs there are.
MOST_COMPONENTS = 200
RIDGE = 0.1
PCA, FORECAST, CHANGE = "pca", "forecast", "change"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a linear member reads and says, in rows."""

    kind: str  # pca, forecast, change
    reads: int  # the newest so many rows
    says: int  # of the newest so many rows it says what they should be

    @property
    def name(self) -> str:
        """Return the name that reports and events use."""
        return f"{self.kind}-{self.says}"


@dataclass(frozen=True, slots=True)
class LinearMember:
    """A fitted member: expected = (input - input_mean) @ matrices + output_mean, rows flattened."""

    shape: Shape
    input_mean: Float32Array  # [I]
    matrices: tuple[Float32Array, ...]  # applied one after the other, [I, ...] to [..., O]
    output_mean: Float32Array  # [O], O = says * F

    def expect(self, scaled: Tensor, xp: Namespace = np) -> tuple[Tensor, Tensor]:
        """Return (actual, expected), both [N, says, F], for windows [N, T, F]. `xp` is numpy or keras.ops.

        For `change` both are of the changes from row to row.
        """
        features = scaled.shape[-1]
        inputs, outputs = _cut(self.shape, scaled)
        flat = xp.reshape(inputs, (-1, len(self.input_mean))) - self.input_mean
        for matrix in self.matrices:
            flat = xp.matmul(flat, matrix)
        return outputs, xp.reshape(flat + self.output_mean, (-1, self.shape.says, features))


def member_shapes(window_length: int) -> tuple[Shape, ...]:
    """Return the linear members of a window length T: over T/8, T/2 and T rows."""
    short, half = max(1, window_length // 8), max(2, window_length // 2)
    shapes = (
        Shape(PCA, max(2, short), max(2, short)),
        Shape(PCA, window_length, window_length),
        Shape(FORECAST, half, 1),
        Shape(FORECAST, half, short),
        Shape(FORECAST, window_length, half),
        Shape(CHANGE, half, half),
    )
    fitting = [shape for shape in shapes if shape.kind == PCA or shape.says < window_length]
    return tuple({shape.name: shape for shape in fitting}.values())


def fit_linear(windows: Float32Array, shapes: Sequence[Shape]) -> list[LinearMember]:
    """Fit members on scaled windows [N, T, F]; equal windows give equal members."""
    return [(_fit_forecast if shape.kind == FORECAST else _fit_components)(shape, windows) for shape in shapes]


def _cut(shape: Shape, scaled: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows that are read [N, ., F], and those that are said [N, says, F]."""
    if shape.kind == CHANGE:
        changes = scaled[:, -shape.says :] - scaled[:, -shape.says - 1 : -1]
        return changes, changes
    outputs = scaled[:, -shape.says :]
    return (outputs, outputs) if shape.kind == PCA else (scaled[:, -shape.reads : -shape.says], outputs)


def _fit_components(shape: Shape, windows: Float32Array) -> LinearMember:
    rows, _ = _cut(shape, windows)
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    basis = _components(flat - mean)
    single = mean.astype(np.float32)
    return LinearMember(shape, single, (basis.astype(np.float32), basis.T.astype(np.float32)), single)


def _components(centred: Float64Array) -> Float64Array:
    """Return the principal components [D, k] of rows [N, D] that keep KEPT_VARIANCE, at most MOST_COMPONENTS."""
    covariance = centred.T @ centred
    total = float(np.trace(covariance))
    largest = (max(0, len(covariance) - MOST_COMPONENTS), len(covariance) - 1)
    values, vectors = eigh(covariance, subset_by_index=largest, overwrite_a=True, check_finite=False)
    kept = np.cumsum(np.maximum(values[::-1], 0.0)) / max(total, 1e-12)
    count = min(int(np.searchsorted(kept, KEPT_VARIANCE)) + 1, len(kept))
    return np.asarray(vectors[:, ::-1][:, :count])


def _fit_forecast(shape: Shape, windows: Float32Array) -> LinearMember:
    inputs, outputs = (rows.reshape(len(windows), -1).astype(np.float64) for rows in _cut(shape, windows))
    input_mean, output_mean = inputs.mean(axis=0), outputs.mean(axis=0)
    inputs -= input_mean
    outputs -= output_mean
    penalty = RIDGE * len(windows) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ outputs)
    return LinearMember(shape, input_mean.astype(np.float32), (weights.astype(np.float32),), output_mean.astype(np.float32))
