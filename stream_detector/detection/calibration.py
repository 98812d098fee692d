"""What error is rare: from a window's errors, one per member of the model, to one surprise, and to the alarm threshold.

Each member (a linear model or the autoencoder, see model/) gives one log error per window. Members differ in how much they
usually err, and so do sensors: each sensor has a level of its own per member, its mean log error, shrunk towards the fleet's
by how many readings stand behind it. What remains, `log error - level`, becomes a surprise, `-ln` of how often a member
errs more than that: empirical below its 90 % quantile, exponential above. The mean of the members' surprises is the
surprise of the reading. A surprise of 5 is, for one member, one reading in 150.

How high a surprise must be for an alarm follows from a budget by peaks over threshold (Balkema & de Haan 1974, Pickands
1975): excesses of the surprise over a high quantile follow a generalised Pareto distribution. Excesses that follow each
other are one cluster, since they would be one incident; so the tail says how many incidents a reading starts on average.
This module is arithmetic only; fitting is in training/calibration_fit.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float64Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.timestamps import SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Tails:
    """How surprising an error above its level is, for M members: linear between K knots, and beyond the last."""

    knots: Float64Array  # [M, K] log error above level, ascending
    surprises: Float64Array  # [K] at the knots, ascending; -ln of the share of errors above
    scales: Float64Array  # [M] > 0: beyond the last knot the surprise grows by 1 for so much log error

    def surprise(self, above_level: Float64Array) -> Float64Array:
        """Return the surprise [N, M] of log errors above their level [N, M]; >= 0, NaN stays NaN."""
        columns = [
            np.interp(column, knots, self.surprises) + np.maximum(column - knots[-1], 0.0) / scale
            for column, knots, scale in zip(above_level.T, self.knots, self.scales, strict=True)
        ]
        return np.stack(columns, axis=-1)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The tails of the members, the tail of their mean, and the sensors' levels. M members."""

    members: tuple[str, ...]  # [M] names
    weights: Float64Array  # [M] of the members in the mean, summing to 1; 0: left out
    tails: Tails
    pooled_level: Float64Array  # [M] the sensors' median level
    typical: float  # mean surprise of a reading
    tail_start: float  # where the fitted tail of the surprise begins, above typical
    tail_rate: float  # clusters of excesses over it, per reading
    tail_scale: float  # sigma of the generalised Pareto distribution
    tail_shape: float  # xi of the generalised Pareto distribution
    readings: int  # readings that the fit stands on
    sensors: SensorTable
    prior_count: float = 64.0  # how many readings of its own outweigh the fleet's level

    def margin(self, alarms_per_reading: float) -> float:
        """Return how far above typical a surprise must be, so that incidents start at this rate. Finite.

        Inverts rate(x) = tail_rate * (1 + xi (x - u) / sigma) ** (-1 / xi). Rates above tail_rate give u.
        """
        ratio = self.tail_rate / alarms_per_reading
        if ratio <= 1.0:
            return self.tail_start
        if abs(self.tail_shape) < 1e-6:
            return self.tail_start + self.tail_scale * math.log(ratio)
        return self.tail_start + self.tail_scale / self.tail_shape * (math.pow(ratio, self.tail_shape) - 1.0)

    def start_levels(self) -> Float64Array:
        """Return the levels [S + 1, M] that sensors start from: their own, shrunk towards the fleet's; last the fleet's."""
        count = self.sensors.counts[:, np.newaxis]
        own = (self.sensors.levels * count + self.pooled_level * self.prior_count) / (count + self.prior_count)
        return np.concatenate([own, self.pooled_level[np.newaxis]])


def alarms_per_reading(alarms_per_sensor_day: float, reading_interval_seconds: float) -> float:
    """Turn a budget of false alarms per sensor and day into a rate per scored reading."""
    return alarms_per_sensor_day * reading_interval_seconds / SECONDS_PER_DAY
