"""From raw values to the network's: filled, centred, scaled, and squashed. The same code trains and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.tensors import Namespace, Tensor
from stream_detector.readings import BoolArray, Float32Array

#: Beyond about this many standard deviations values are compressed logarithmically, so one outlier does not rule a window.
SQUASH = 5.0
#: Scaled values are cut here before squashing; no finite reading can then overflow to infinity.
LARGEST = 1.0e30


@dataclass(frozen=True, slots=True)
class Scaler:
    """Mean and standard deviation of each feature, from the fit part of the training data."""

    mean: Float32Array  # [F]
    deviation: Float32Array  # [F] > 0; 1 for a feature that was constant

    def fill(self, windows: Float32Array) -> tuple[Float32Array, BoolArray]:
        """Fill missing values (NaN) of windows [..., T, F]; return the filled windows and what was there.

        A missing value is the last one before it in the window, or the training mean. The input is not changed.
        """
        present = ~np.isnan(windows)
        if present.all():
            return windows, present
        steps = np.arange(windows.shape[-2])[:, np.newaxis]
        last = np.maximum.accumulate(np.where(present, steps, -1), axis=-2)
        carried = np.take_along_axis(windows, np.maximum(last, 0), axis=-2)
        return np.where(last >= 0, carried, self.mean), present

    def scale(self, filled: Tensor, xp: Namespace = np) -> Tensor:
        """Centre, scale and squash: 5 asinh(z / 5) with z = (x - mean) / deviation. `xp` is numpy or keras.ops."""
        with np.errstate(over="ignore"):  # what overflows is cut
            scaled = xp.clip((filled - self.mean) / self.deviation, -LARGEST, LARGEST)
        return SQUASH * xp.arcsinh(scaled / SQUASH)

    def unscale(self, scaled: Tensor, xp: Namespace = np) -> Tensor:
        """Undo `scale`."""
        return SQUASH * xp.sinh(scaled / SQUASH) * self.deviation + self.mean


def fit_scaler(values: Float32Array) -> Scaler:
    """Fit on values [N, F], NaN = missing. A feature that never varies, or is always missing, is only centred."""
    present = ~np.isnan(values)
    count = np.maximum(present.sum(0), 1)
    wide = np.where(present, values, 0.0).astype(np.float64)
    mean = wide.sum(0) / count
    deviation = np.sqrt((np.square(wide - mean) * present).sum(0) / count)
    # Below this a column is constant up to the rounding of its digits.
    negligible = np.maximum(1e-9, 1e-4 * np.abs(wide).max(0, initial=0.0))
    return Scaler(mean.astype(np.float32), np.where(deviation < negligible, 1.0, deviation).astype(np.float32))
