"""The table of the sensors that a model was trained on, with the scale and the typical errors of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.readings import Float32Array, Float64Array, Int32Array

#: In place of a row: the model does not know the sensor.
UNKNOWN = -1
#: The name of the sensor in data without a column of sensors.
ONLY_SENSOR = "sensor"
#: Sensors whose attention makes the mean of a fleet.
_MOST_MEANT = 1_024


@dataclass(frozen=True, slots=True)
class SensorTable:
    """The table: S sensors, F features, M members."""

    rows: Mapping[str, int]  # the row of each sensor, 0 ... S-1
    location: Float32Array  # [S, F] mean of each feature, in its own units
    deviation: Float32Array  # [S, F] > 0: standard deviation
    levels: Float64Array  # [S, M] mean log error over readings not used in fitting
    counts: Float64Array  # [S] readings that the levels were learned from; 0: none
    #: [S] > 0: usual time between readings, without gaps; without entries, no sensor's pace is known
    interval_ms: Float32Array = field(default_factory=lambda: np.zeros(0, np.float32))
    #: [S] usual longest pause; at least the interval
    pause_ms: Float32Array = field(default_factory=lambda: np.zeros(0, np.float32))
    #: [S, T] mean attention over healthy windows, oldest step first; without entries, it is not known
    attention: Float32Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def pace(self, table_rows: Int32Array, default_ms: float) -> tuple[Float32Array, Float32Array]:
        """Return interval and usual pause of the sensors in these rows [N], `default_ms` for an unknown one."""
        known = (table_rows != UNKNOWN) & (len(self.interval_ms) > 0)
        interval_ms = np.full(len(table_rows), default_ms, np.float32)
        pause_ms = interval_ms.copy()
        interval_ms[known] = self.interval_ms[table_rows[known]]
        pause_ms[known] = self.pause_ms[table_rows[known]]
        return interval_ms, pause_ms

    def usual_attention(self, table_rows: Int32Array) -> Float32Array:
        """Return the usual attention [N, T] of the sensors in these rows [N], the fleet's mean for an unknown one.

        In a large fleet, the mean is of about _MOST_MEANT sensors at equal distances. Returns [N, 0] if it is not known.
        """
        if not self.attention.size:
            return np.zeros((len(table_rows), 0), np.float32)
        usual = self.attention[np.maximum(table_rows, 0)]
        unknown = table_rows == UNKNOWN
        if unknown.any():
            usual[unknown] = self.attention[:: max(1, len(self.attention) // _MOST_MEANT)].mean(axis=0)
        return usual

    @property
    def takes_any(self) -> bool:
        """Whether training had no sensor ids: then every sensor counts as the one that the model knows."""
        return list(self.rows) == [ONLY_SENSOR]

    def find(self, sensors: Sequence[str]) -> Int32Array:
        """Return the row of each sensor [N], or UNKNOWN."""
        otherwise = 0 if self.takes_any else UNKNOWN
        return np.array([self.rows.get(sensor, otherwise) for sensor in sensors], np.int32)
