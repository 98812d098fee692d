"""Tells how far a value lies beyond where the sensor's healthy data have it. Such readings hold an open incident open.

A window gets used to a level that stays: after a window the score is normal again, although the value is not. Without this,
the incident of a lasting shift closes while the machine is still wrong, and the shift's end opens a second one.

The distance also adds to the surprise of the reading. The members' errors are compared with usual ones, and where these have a
heavy tail, such as at the kinks of interpolated values, a pressure that leaves by 300 deviations would hardly be surprising. So
each feature alone raises the surprise without bound, whatever the others do:

    surprise of the range = 0.5 ln(1 + w) + 3 ln(1 + max(0, w - 10))

where w is the distance from the healthy range in widths of that range, of the feature that is farthest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.readings import BoolArray, Float32Array, Float64Array, FloatArray, Int32Array, Int64Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import Scales

#: Factors of the logarithms, and the distance from which the second one counts, in widths of the healthy range.
NEAR, FAR, FAR_WIDTHS = 0.5, 3.0, 10.0
#: A distance counts as at most so many widths.
MOST_WIDTHS = 1e100


@dataclass(frozen=True, slots=True)
class Beyond:
    """How far N readings lie beyond what healthy data show."""

    surprise: Float64Array  # [N] 0 within
    feature: Int64Array  # [N] the feature that is farthest; undefined within

    @classmethod
    def of(cls, widths: Float64Array) -> Beyond:
        """Take the farthest feature of each reading from its distances [N, F], in widths of the healthy range."""
        feature = widths.argmax(axis=1)
        farthest = widths[np.arange(len(widths)), feature]
        return cls(NEAR * np.log1p(farthest) + FAR * np.log1p(np.maximum(farthest - FAR_WIDTHS, 0.0)), feature)

    def take(self, chosen: BoolArray) -> Beyond:
        """Return those of the chosen readings."""
        return Beyond(self.surprise[chosen], self.feature[chosen])

    def put(self, positions: Int64Array, others: Beyond) -> None:
        """Replace those of these readings, in place."""
        self.surprise[positions], self.feature[positions] = others.surprise, others.feature


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

    def widths_beyond(self, values: FloatArray, scales: Scales, table_rows: Int32Array) -> Float64Array:
        """Return how far the values [N, F] lie outside, in widths of the range; 0 inside, and for a missing or hidden one.

        On a scale that still moves, none is outside. The range of a feature that hardly varies counts as one deviation wide.
        """
        low, high = self.low[table_rows].astype(np.float64), self.high[table_rows].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            distance = (values - scales.location.astype(np.float64)) / scales.deviation
            found = np.fmax(np.fmax(low - distance, distance - high), 0.0) / np.fmax(high - low, 1.0)
        found = np.where(np.isnan(values), 0.0, np.minimum(np.nan_to_num(found, nan=0.0, posinf=MOST_WIDTHS), MOST_WIDTHS))
        for unknown in (scales.hidden, scales.settling):
            found = found if unknown is None else np.where(unknown, 0.0, found)
        return found


def _completed(of_sensors: Float32Array, farthest: np.ufunc, nowhere: float) -> Float32Array:
    """Fill in the fleet's farthest where a sensor's own is not known, and append it as the row of unknown sensors."""
    fleet = farthest.reduce(of_sensors, axis=0, keepdims=True, initial=np.nan)
    fleet = np.where(np.isnan(fleet), nowhere, fleet)
    return np.concatenate([np.where(np.isnan(of_sensors), fleet, of_sensors), fleet]).astype(np.float32)
