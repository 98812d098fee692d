"""Turns a window's errors, one per member of the model, into a surprise (how rare they are), and a budget into a limit.

Each member (a linear model or the autoencoder, see model/) gives one log error per window. Typical errors differ between
members and between sensors, so each sensor has a level per member: its mean log error, shrunk towards the fleet's. The more
readings a level rests on, the less it is shrunk. The error above its level, `log error - level`, gives a surprise: `-ln` of
the share of readings whose error is larger. The distribution is empirical below its 90 % quantile and exponential above. The
weighted mean of the members' surprises is the surprise of the reading. For one member, one reading in 150 has a surprise of 5
or more.

The surprise that raises an alarm follows from a budget by peaks over threshold (Balkema & de Haan 1974, Pickands 1975):
excesses of the surprise over a high quantile follow a generalised Pareto distribution. Consecutive excesses count as one
cluster, because they would form one incident, so the tail gives the mean number of incidents that start per reading.
This module only evaluates; training/calibration_fit.py fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.own_tails import OwnTails
from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.detection.sustained import ENOUGH_INCIDENTS, NEVER
from stream_detector.readings import Float64Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.timestamps import SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Tails:
    """The surprise of an error above its level, for M members: linear between K knots, and beyond the last."""

    knots: Float64Array  # [M, K] log error above level, ascending
    surprises: Float64Array  # [K] at the knots, ascending; -ln of the share of errors above
    scales: Float64Array  # [M] > 0: log error by which the surprise grows by 1 beyond the last knot

    def surprise(self, above_level: Float64Array) -> Float64Array:
        """Return the surprise [N, M] of log errors above their level [N, M]; >= 0, NaN stays NaN."""
        columns = [
            np.interp(column, knots, self.surprises) + np.maximum(column - knots[-1], 0.0) / scale
            for column, knots, scale in zip(above_level.T, self.knots, self.scales, strict=True)
        ]
        return np.stack(columns, axis=-1)


@dataclass(frozen=True, slots=True)
class SurpriseTail:
    """A generalised Pareto tail of a surprise above the typical one."""

    start: float  # where the tail begins
    rate: float  # clusters of excesses over it, per reading
    scale: float  # sigma
    shape: float  # xi

    def margin(self, alarms_per_reading: float) -> float:
        """Return how far above the typical surprise the limit must be for incidents to start at this rate. Finite.

        Inverts rate(x) = rate * (1 + xi (x - u) / sigma) ** (-1 / xi). Rates above that of the start u give u.
        """
        ratio = self.rate / alarms_per_reading
        if ratio <= 1.0:
            return self.start
        if abs(self.shape) < 1e-6:
            return self.start + self.scale * math.log(ratio)
        return self.start + self.scale / self.shape * (math.pow(ratio, self.shape) - 1.0)


@dataclass(frozen=True, slots=True)
class Margins:
    """How far above the typical surprise the limits of one rate are."""

    single: float  # of one reading
    sustained: float  # of the running mean (sustained.py); NEVER: it is not used


@dataclass(frozen=True, slots=True)
class Calibration:
    """The tails of the members, the tail of their mean, and the sensors' levels. M members."""

    members: tuple[str, ...]  # [M] names
    weights: Float64Array  # [M] in the mean of the surprises; they sum to 1, 0 leaves a member out
    tails: Tails
    pooled_level: Float64Array  # [M] median level of the sensors
    typical: float  # mean surprise of a reading
    tail_start: float  # where the fitted tail of the surprise begins, above typical
    tail_rate: float  # clusters of excesses over it, per reading
    tail_scale: float  # sigma of the generalised Pareto distribution
    tail_shape: float  # xi of the generalised Pareto distribution
    readings: int  # readings that were fitted
    sensors: SensorTable
    prior_count: float = 64.0  # a sensor's own readings from which its level outweighs the fleet's
    partial: PartialLevels | None = None  # of windows with few rows; None: these are not scored
    sustained: SurpriseTail | None = None  # of the running mean of the surprise; None: it is not used
    own: OwnTails | None = None  # with which each sensor learns its own tails; None: the model's hold for all

    @property
    def tail(self) -> SurpriseTail:
        """The tail of the surprise of one reading."""
        return SurpriseTail(self.tail_start, self.tail_rate, self.tail_scale, self.tail_shape)

    def margin(self, alarms_per_reading: float) -> float:
        """Return the margin of one reading, if all of this rate of incidents goes to single readings. Finite."""
        return self.tail.margin(alarms_per_reading)

    def margins(self, alarms_per_reading: float) -> Margins:
        """Return the margins that share a rate of incidents. A rate that the readings show belongs to single readings alone."""
        if self.sustained is None or alarms_per_reading * self.readings >= ENOUGH_INCIDENTS:
            return Margins(self.margin(alarms_per_reading), NEVER)
        half = alarms_per_reading / 2.0
        return Margins(self.margin(half), self.sustained.margin(half))

    def start_levels(self) -> Float64Array:
        """Return the initial levels [S + 1, M]: each sensor's own, shrunk towards the fleet's; the last row is the fleet's."""
        count = self.sensors.counts[:, np.newaxis]
        own = (self.sensors.levels * count + self.pooled_level * self.prior_count) / (count + self.prior_count)
        return np.concatenate([own, self.pooled_level[np.newaxis]])


def alarms_per_reading(alarms_per_sensor_day: float, reading_interval_seconds: float) -> float:
    """Convert a budget of false alarms per sensor and day to a rate per scored reading."""
    return alarms_per_sensor_day * reading_interval_seconds / SECONDS_PER_DAY
