"""Prepares raw windows for the model: fill missing values, scale by the sensor, squash. Training and scoring share it."""

from __future__ import annotations

import numpy as np

from stream_detector.missing_values import forward_fill
from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import BoolArray, Float32Array, FloatArray
from stream_detector.state.running_scale import NEGLIGIBLE_SHARE

#: Beyond about this many standard deviations values are compressed logarithmically, so one outlier cannot dominate a window.
SQUASH = 5.0
#: Scaled values are clipped to this before squashing, so no finite reading overflows to infinity.
LARGEST = 1.0e30


def fill(windows: Float32Array, location: Float32Array) -> tuple[Float32Array, BoolArray]:
    """Fill missing values (NaN) of windows [N, T, F]; return the filled windows and which values were present.

    A missing value becomes the last one before it in the window, or else the sensor's `location` [N, F]. A row without any
    value lies on the line between the rows around it. The input is not changed.
    """
    present = ~np.isnan(windows)
    if present.all():
        return windows, present
    filled = forward_fill(windows, present, axis=-2)
    filled = np.where(np.isnan(filled), location[:, np.newaxis, :], filled)
    lost = lost_rows(present)
    some = np.flatnonzero(lost.any(axis=1))
    if len(some):
        filled[some] = _interpolated(filled[some], lost[some])
    return filled, present


def lost_rows(present: BoolArray) -> BoolArray:
    """Return which rows [N, T] of windows [N, T, F] have no value at all: their readings were lost."""
    return np.asarray(~present.any(axis=2))


def _interpolated(filled: Float32Array, lost: BoolArray) -> Float32Array:
    """Return windows [K, T, F] whose lost rows [K, T] lie on a line between the rows around; at an end, they repeat one."""
    steps = np.arange(lost.shape[1])
    before = np.maximum.accumulate(np.where(lost, -1, steps), axis=1)
    after = np.minimum.accumulate(np.where(lost, len(steps), steps)[:, ::-1], axis=1)[:, ::-1]
    first, last = np.where(before < 0, after, before), np.where(after == len(steps), before, after)
    share = ((steps - first) / np.maximum(last - first, 1)).astype(np.float32)[:, :, np.newaxis]
    ends = [np.take_along_axis(filled, np.clip(end, 0, len(steps) - 1)[:, :, np.newaxis], axis=1) for end in (first, last)]
    return np.asarray(np.where(lost[:, :, np.newaxis], ends[0] * (1 - share) + ends[1] * share, filled))


def scale(filled: Tensor, location: Tensor, deviation: Tensor, xp: Namespace = np) -> Tensor:
    """Centre, scale and squash windows [N, T, F]: 5 asinh(z / 5) with z = (x - location) / deviation, both [N, F].

    `xp` is numpy or keras.ops.
    """
    with np.errstate(over="ignore"):  # overflow is clipped below
        centred = filled - xp.expand_dims(location, 1)
        scaled = xp.clip(centred / xp.expand_dims(deviation, 1), -LARGEST, LARGEST)
    return SQUASH * xp.arcsinh(scaled / SQUASH)


def unscale(scaled: Tensor, location: Tensor, deviation: Tensor, xp: Namespace = np) -> Tensor:
    """Undo `scale`; infinite where the result exceeds the largest float."""
    with np.errstate(over="ignore"):
        return SQUASH * xp.sinh(scaled / SQUASH) * xp.expand_dims(deviation, 1) + xp.expand_dims(location, 1)


def mean_and_deviation(values: FloatArray) -> tuple[Float32Array, Float32Array]:
    """Return mean and standard deviation [F] of values [N, F], NaN = missing; 0 for a feature that never varies."""
    present = ~np.isnan(values)
    count = np.maximum(present.sum(0), 1)
    wide = np.where(present, values, 0.0).astype(np.float64)
    mean = wide.sum(0) / count
    deviation = np.sqrt((np.square(wide - mean) * present).sum(0) / count)
    negligible = np.maximum(1e-9, NEGLIGIBLE_SHARE * np.abs(wide).max(0, initial=0.0))
    return mean.astype(np.float32), np.where(deviation < negligible, 0.0, deviation).astype(np.float32)
