"""Fill missing values: the one definition of what stands in for them in windows and tables."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array

_Values = TypeVar("_Values", Float32Array, Float64Array)


def forward_fill(values: _Values, present: BoolArray, axis: int = 0) -> _Values:
    """Return a copy of values in which a missing one (NaN) takes the last present value before it along the axis.

    `present` is ~isnan(values), of the same shape. NaN remains where no value comes before.
    """
    shape = [1] * values.ndim
    shape[axis] = -1
    steps = np.arange(values.shape[axis]).reshape(shape)
    last = np.maximum.accumulate(np.where(present, steps, 0), axis=axis)
    return np.take_along_axis(values, last, axis=axis)
