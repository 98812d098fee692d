"""Tells which readings have a value where the sensor's healthy data never have one: these hold an open incident open.

A window gets used to a level that stays: after a window the score is normal again, although the value is not. Without this,
the incident of a lasting shift closes while the machine is still wrong, and the shift's end opens a second one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.readings import BoolArray, Float32Array, FloatArray, Int32Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class HealthyRange:
    """How far from its usual value a feature gets in healthy data, in the sensor's own deviations.

    Rows as in the model's table of sensors, and a last row for unknown ones (row UNKNOWN, which is -1).
    """

    low: Float32Array  # [S + 1, F]
    high: Float32Array  # [S + 1, F]

    @classmethod
    def of(cls, healthy: HealthyData, sensors: SensorTable) -> HealthyRange:
        """Take the range of each sensor with enough data, else the widest of the fleet; of a context feature, no range."""
        known = healthy.has_enough[:, np.newaxis] & healthy.scored
        below = np.where(known, (healthy.lowest - sensors.location) / sensors.deviation, np.nan)
        above = np.where(known, (healthy.highest - sensors.location) / sensors.deviation, np.nan)
        return cls(_completed(below, np.fmin, -np.inf), _completed(above, np.fmax, np.inf))

    def outside(self, values: FloatArray, scales: Scales, table_rows: Int32Array) -> BoolArray:
        """Return which of the values [N, F] lie outside; a missing or hidden one does not."""
        with np.errstate(over="ignore"):
            distance = (values - scales.location) / scales.deviation
        found = (distance < self.low[table_rows]) | (distance > self.high[table_rows])
        return np.asarray(found if scales.hidden is None else found & ~scales.hidden)


def _completed(of_sensors: Float32Array, farthest: np.ufunc, nowhere: float) -> Float32Array:
    """Fill in the fleet's farthest where a sensor's own is not known, and append it as the row of unknown sensors."""
    fleet = farthest.reduce(of_sensors, axis=0, keepdims=True, initial=np.nan)
    fleet = np.where(np.isnan(fleet), nowhere, fleet)
    return np.concatenate([np.where(np.isnan(of_sensors), fleet, of_sensors), fleet]).astype(np.float32)
