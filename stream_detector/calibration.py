"""What score is rare: from a raw score to the alarm threshold, for a budget of false alarms.

Scores differ in level from sensor to sensor, so each sensor has a level of its own, the mean of its log scores, shrunk
towards the fleet's by how many readings stand behind it. What remains, `log score - level`, is pooled over all sensors
and its tail fitted by peaks over threshold (Balkema & de Haan 1974, Pickands 1975): excesses over a high quantile follow
a generalised Pareto distribution. Excesses that follow each other are one cluster, since they would be one incident;
so the tail says how many incidents a reading starts on average, not how many readings exceed.
This module is arithmetic only; fitting is in model/calibrate.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stream_detector.readings import Float32Array, Float64Array

SECONDS_PER_DAY = 86_400.0
#: Added to a score before its logarithm is taken, so that a perfect reconstruction has one.
SCORE_OFFSET = 1e-6


@dataclass(frozen=True, slots=True)
class SensorLevel:
    """A sensor's own level: mean log score over `count` readings not used in fitting."""

    mean: float
    count: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The tail of log scores above their level, and the levels."""

    tail_start: float  # u: where the fitted tail begins, in log score above level
    tail_rate: float  # clusters of excesses over u, per reading
    tail_scale: float  # sigma of the generalised Pareto distribution
    tail_shape: float  # xi of the generalised Pareto distribution
    pooled_level: float  # mean log score over the fleet
    readings: int  # readings that the fit stands on
    prior_count: float = 64.0  # how many readings of its own outweigh the fleet's level
    sensors: Mapping[str, SensorLevel] = field(default_factory=dict)

    def margin(self, alarms_per_reading: float) -> float:
        """Return how far above its level a log score must be, so that incidents start at this rate. Finite.

        Inverts rate(x) = tail_rate * (1 + xi (x - u) / sigma) ** (-1 / xi). Rates above tail_rate give u.
        """
        ratio = self.tail_rate / alarms_per_reading
        if ratio <= 1.0:
            return self.tail_start
        if abs(self.tail_shape) < 1e-6:
            return self.tail_start + self.tail_scale * math.log(ratio)
        return self.tail_start + self.tail_scale / self.tail_shape * (math.pow(ratio, self.tail_shape) - 1.0)

    def resolves(self, alarms_per_reading: float) -> bool:
        """Say whether the data has seen such rates (at least one expected event), or the tail is extrapolated."""
        return alarms_per_reading * self.readings >= 1.0


def alarms_per_reading(alarms_per_sensor_day: float, reading_interval_seconds: float) -> float:
    """Turn a budget of false alarms per sensor and day into a rate per scored reading."""
    return alarms_per_sensor_day * reading_interval_seconds / SECONDS_PER_DAY


def log_score(scores: Float32Array | Float64Array) -> Float64Array:
    """Return log(score + SCORE_OFFSET), the scale on which levels and margins are defined. NaN stays NaN."""
    return np.log(np.asarray(scores, np.float64) + SCORE_OFFSET)


def raw_score(log_scores: Float64Array) -> Float64Array:
    """Invert log_score."""
    return np.asarray(np.exp(log_scores) - SCORE_OFFSET)
