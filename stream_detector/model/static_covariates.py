"""What sort of sensor a window is of: how its scale differs from what is typical for the fleet.

Windows are put on each sensor's own scale, so the network would not know a large pump from a small one, and how features
depend on each other differs between them. Location and deviation tell, also for a sensor that was never trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import Float32Array


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is typical of the sensors that a model was trained on. F features."""

    location: Float32Array  # [F] mean of the sensors' locations
    spread: Float32Array  # [F] > 0: standard deviation of the sensors' locations, or the typical deviation of one
    deviation: Float32Array  # [F] > 0: median of the sensors' deviations

    def traits(self, location: Tensor, deviation: Tensor, xp: Namespace = np) -> Tensor:
        """Return traits [N, 2F] within (-1, 1) of windows' scales [N, F]; 0 is typical. `xp` is numpy or keras.ops."""
        place = xp.tanh((location - self.location) / self.spread / 2.0)
        size = xp.tanh(xp.log(deviation / self.deviation) / 2.0)
        return xp.concatenate([place, size], axis=-1)


def fit_fleet(location: Float32Array, typical_deviation: Float32Array) -> Fleet:
    """Fit on the sensors' locations [S, F] and the typical deviation [F]."""
    spread = location.astype(np.float64).std(axis=0).astype(np.float32)
    return Fleet(
        location=location.astype(np.float64).mean(axis=0).astype(np.float32),
        # Where sensors do not differ by more than one varies, their places mean nothing.
        spread=np.maximum(spread, typical_deviation),
        deviation=typical_deviation,
    )
