"""Fit what score is rare, from scores on data that the network was not fitted on. See calibration.py for the method."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import genpareto

from stream_detector.calibration import Calibration, SensorLevel, log_score
from stream_detector.readings import Float32Array, Float64Array

#: The tail is the largest 2 % of the readings, but at least 100 of them, but at most a tenth.
TAIL_SHARE = (0.02, 0.1)
TAIL_READINGS = 100
#: With fewer clusters than this the shape cannot be told from 0: the tail is then exponential.
CLUSTERS_FOR_SHAPE = 30
#: Log scores are already heavy-tailed as scores; a larger shape puts deep thresholds out of reach, a smaller one
#: at the largest score seen.
LARGEST_SHAPE = 0.2
#: A calibration part is short and calm beside what follows it; a tail thinner than this is not believed.
SMALLEST_SCALE = 0.2
PRIOR_COUNT = 64.0


def fit_calibration(scores: Mapping[str, Float32Array], quiet_readings: int) -> Calibration:
    """Fit on each sensor's scores in the order of time; NaN is not scored. At least one score is needed.

    Two readings above the tail's start belong to one cluster when fewer than `quiet_readings` below it lie between them.
    """
    logs = {sensor: log_score(values[~np.isnan(values)]) for sensor, values in scores.items()}
    logs = {sensor: values for sensor, values in logs.items() if len(values)}
    pooled_level = float(np.concatenate(list(logs.values())).mean())
    levels = {sensor: SensorLevel(float(values.mean()), float(len(values))) for sensor, values in logs.items()}
    margins = [values - _shrunk(levels[sensor], pooled_level) for sensor, values in logs.items()]
    readings = sum(len(values) for values in margins)
    share = min(TAIL_SHARE[1], max(TAIL_SHARE[0], TAIL_READINGS / readings))
    start = float(np.quantile(np.concatenate(margins), 1.0 - share))
    excesses = np.concatenate([cluster_excesses(values, start, quiet_readings) for values in margins])
    scale, shape = fit_tail(excesses)
    return Calibration(
        tail_start=start,
        tail_rate=max(len(excesses), 1) / readings,
        tail_scale=scale,
        tail_shape=shape,
        pooled_level=pooled_level,
        readings=readings,
        prior_count=PRIOR_COUNT,
        sensors=levels,
    )


def cluster_excesses(values: Float64Array, start: float, quiet_readings: int) -> Float64Array:
    """Return by how much the largest value of each cluster exceeds `start`."""
    above = np.flatnonzero(values > start)
    if not len(above):
        return np.empty(0)
    first_of_cluster = np.flatnonzero(np.concatenate([[True], np.diff(above) > quiet_readings]))
    return np.maximum.reduceat(values[above], first_of_cluster) - start


def fit_tail(excesses: Float64Array) -> tuple[float, float]:
    """Return (scale, shape) of a generalised Pareto distribution: maximum likelihood, within the bounds above. Finite."""
    if not len(excesses):
        return SMALLEST_SCALE, 0.0
    scale, shape = float(excesses.mean()), 0.0
    if len(excesses) >= CLUSTERS_FOR_SHAPE and excesses.max() > excesses.min():
        with np.errstate(all="ignore"):
            fitted, _, _ = genpareto.fit(excesses, floc=0.0)
            if math.isfinite(fitted):
                bounded = min(max(float(fitted), -LARGEST_SHAPE), LARGEST_SHAPE)
                _, _, refitted = genpareto.fit(excesses, f0=bounded, floc=0.0)
                if math.isfinite(refitted):
                    scale, shape = float(refitted), bounded
    return max(scale, SMALLEST_SCALE), shape


def _shrunk(level: SensorLevel, pooled_level: float) -> float:
    """Return a sensor's level, drawn towards the fleet's as the calibration does it."""
    return (level.mean * level.count + pooled_level * PRIOR_COUNT) / (level.count + PRIOR_COUNT)
