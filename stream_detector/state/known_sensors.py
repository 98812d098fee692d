"""The table of the sensors that a model was trained on, with the scale and the typical errors of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float32Array, Float64Array, Int32Array

#: In place of a row: the model does not know the sensor.
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class SensorTable:
    """The table: S sensors, F features, M members."""

    rows: Mapping[str, int]  # the row of each sensor, 0 ... S-1
    location: Float32Array  # [S, F] mean of each feature, in its own units
    deviation: Float32Array  # [S, F] > 0: standard deviation
    levels: Float64Array  # [S, M] mean log error over readings not used in fitting
    counts: Float64Array  # [S] readings that the levels were learned from; 0: none

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, sensors: Sequence[str]) -> Int32Array:
        """Return the row of each sensor [N], or UNKNOWN."""
        return np.array([self.rows.get(sensor, UNKNOWN) for sensor in sensors], np.int32)
