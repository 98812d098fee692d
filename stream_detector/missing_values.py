"""Fills missing values: the one rule for windows and tables."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array

_Values = TypeVar("_Values", Float32Array, Float64Array)


def forward_fill(values: _Values, present: BoolArray, axis: int = 0) -> _Values:
    """Return a copy in which each missing value (NaN) repeats the last present value before it along the axis.

    `present` is ~isnan(values), of the same shape. NaN remains before the first present value.
    """
    shape = [1] * values.ndim
    shape[axis] = -1
    steps = np.arange(values.shape[axis]).reshape(shape)
    last = np.maximum.accumulate(np.where(present, steps, 0), axis=axis)
    return np.take_along_axis(values, last, axis=axis)
