"""Static covariates: inputs that tell the network how a sensor's scale differs from the fleet's typical scale.

Windows are scaled by each sensor's own location and deviation, so from them alone the network could not tell a large pump from
a small one, whose features depend on each other differently. Covariates need no training data of the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import Float32Array


@dataclass(frozen=True, slots=True)
class Fleet:
    """The typical scale of the sensors that a model was trained on. F features."""

    location: Float32Array  # [F] mean of the sensors' locations
    spread: Float32Array  # [F] > 0: standard deviation of the sensors' locations, or the typical deviation of one
    deviation: Float32Array  # [F] > 0: median of the sensors' deviations

    def covariates(self, location: Tensor, deviation: Tensor, xp: Namespace = np) -> Tensor:
        """Return static covariates [N, 2F] within (-1, 1) for sensor scales [N, F]; 0 is typical. `xp`: numpy or keras.ops."""
        place = xp.tanh((location - self.location) / self.spread / 2.0)
        size = xp.tanh(xp.log(deviation / self.deviation) / 2.0)
        return xp.concatenate([place, size], axis=-1)


def fit_fleet(location: Float32Array, typical_deviation: Float32Array) -> Fleet:
    """Fit to the sensors' locations [S, F] and their typical deviation [F]."""
    spread = location.astype(np.float64).std(axis=0).astype(np.float32)
    return Fleet(
        location=location.astype(np.float64).mean(axis=0).astype(np.float32),
        # A difference between sensors that is smaller than the variation of one sensor does not count.
        spread=np.maximum(spread, typical_deviation),
        deviation=typical_deviation,
    )
