"""Fits how rare each error is, on data that no member was fitted to. detection/calibration.py describes the method."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter
from scipy.stats import genpareto

from stream_detector.detection.calibration import Calibration, SurpriseTail, Tails
from stream_detector.detection.sustained import CAP_STARTS, HORIZON_COUNT, SHARE
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.tables.sampling import Paces
from stream_detector.training.preparation import SensorScales

#: The distribution of a member's errors is empirical below this quantile and exponential above it.
EMPIRICAL_SHARE = 0.9
KNOTS = 33
#: Lower limit of the scale of a member's exponential tail, in log error.
SMALLEST_ERROR_SCALE = 0.2
#: The tail of the surprise is the largest 2 % of the readings, or 100 readings if that is more, up to a tenth of them.
TAIL_SHARE = (0.02, 0.1)
TAIL_READINGS = 100
#: With fewer clusters than this the shape cannot be distinguished from 0: the tail is then exponential, and its scale is pulled
#: towards PRIOR_SCALE as by PRIOR_CLUSTERS more clusters. Members with independent errors would give a smaller scale, members
#: with identical errors a scale of 1.
CLUSTERS_FOR_SHAPE = 30
PRIOR_SCALE, PRIOR_CLUSTERS = 0.5, 10
#: Limit of the shape: above it rare thresholds become unreachable, below its negative they cluster at the largest surprise.
LARGEST_SHAPE = 0.2
#: Lower limit of the scale: the calibration part is short and calm compared with the operation that follows.
SMALLEST_SCALE = 0.3
#: Lower limit of what the running mean of the surprise varies by, as a share of what the surprise does.
LEAST_UNIT = 0.05
PRIOR_COUNT = 64.0


def fit_calibration(
    errors: Float32Array,
    codes: Int32Array,
    *,
    sensors: tuple[str, ...],
    scales: SensorScales,
    paces: Paces,
    members: tuple[str, ...],
    weights: Float64Array,
    quiet_readings: int,
    in_runs: BoolArray | None = None,
) -> Calibration:
    """Fit to log errors [N, M] of readings of sensors by `codes` [N], ordered by sensor and time; NaN is not scored.

    At least one reading must be scored. Two readings above the start of the tail belong to one cluster if fewer than
    `quiet_readings` below it lie between them. A sensor without a scored reading is left out of the table. `in_runs` [N] marks
    readings in unbroken runs (None: all); the others count only for the levels of their sensors.
    """
    scored = ~np.isnan(errors[:, 0])
    logs, codes = errors[scored].astype(np.float64), codes[scored]
    unbroken = np.ones(len(codes), np.bool_) if in_runs is None else in_runs[scored]
    present, first, of_sensor, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    table = SensorTable(
        rows={sensors[code]: row for row, code in enumerate(present.tolist())},
        location=scales.location[present],
        deviation=scales.deviation[present],
        levels=np.add.reduceat(logs, first, axis=0) / counts[:, np.newaxis],
        counts=counts.astype(np.float64),
        interval_ms=paces.interval_ms[present].astype(np.float32),
        pause_ms=paces.pause_ms[present].astype(np.float32),
    )
    # The median, so that one idle sensor with hardly any error does not represent the fleet.
    pooled = np.median(table.levels, axis=0)
    shrunk = (table.levels * counts[:, np.newaxis] + pooled * PRIOR_COUNT) / (counts[:, np.newaxis] + PRIOR_COUNT)
    above_level = (logs - shrunk[of_sensor])[unbroken]
    tails = fit_tails(above_level)
    surprise = (tails.surprise(above_level) * weights).sum(axis=1)
    typical = float(surprise.mean())
    runs = np.split(surprise - typical, np.cumsum(np.bincount(of_sensor[unbroken]))[:-1])
    tail = _fit_surprise_tail(runs, quiet_readings)
    return Calibration(
        members=members,
        weights=weights,
        tails=tails,
        pooled_level=pooled,
        typical=typical,
        tail_start=tail.start,
        tail_rate=tail.rate,
        tail_scale=tail.scale,
        tail_shape=tail.shape,
        readings=len(surprise),
        sensors=table,
        prior_count=PRIOR_COUNT,
        sustained=_fit_sustained_tail(runs, tail, quiet_readings),
    )


def _fit_sustained_tail(runs: Sequence[Float64Array], tail: SurpriseTail, quiet_readings: int) -> SurpriseTail:
    """Fit the tail of the running mean of the surprise above typical, from the runs of the sensors.

    The fit's limits are those of a surprise, so it is made in units of which the mean varies as much as the surprise.
    """
    means = [running_means(np.minimum(run, CAP_STARTS * tail.start)) for run in runs]
    spread = float(np.concatenate(runs).std())
    unit = max(float(np.concatenate(means).std()) / spread, LEAST_UNIT) if spread > 0 else 1.0
    fitted = _fit_surprise_tail([mean / unit for mean in means], max(quiet_readings, HORIZON_COUNT))
    return SurpriseTail(unit * fitted.start, fitted.rate, unit * fitted.scale, fitted.shape)


def running_means(excess: Float64Array) -> Float64Array:
    """Return what `sustained.after` makes of the readings [N] of one sensor, all at once; the caller has capped them."""
    return np.asarray(lfilter([SHARE], [1.0, SHARE - 1.0], excess), np.float64)


def _fit_surprise_tail(runs: Sequence[Float64Array], quiet_readings: int) -> SurpriseTail:
    """Fit the tail of the surprise above typical, from the runs of the sensors."""
    surprise = np.concatenate(runs)
    share = min(TAIL_SHARE[1], max(TAIL_SHARE[0], TAIL_READINGS / len(surprise)))
    start = float(np.quantile(surprise, 1.0 - share))
    excesses = np.concatenate([cluster_excesses(run, start, quiet_readings) for run in runs])
    scale, shape = fit_excesses(excesses)
    return SurpriseTail(start, max(len(excesses), 1) / len(surprise), scale, shape)


def fit_tails(above_level: Float64Array) -> Tails:
    """Fit each member's tail to log errors above their level [N, M]."""
    shares = np.linspace(0.0, EMPIRICAL_SHARE, KNOTS)
    knots = np.maximum.accumulate(np.quantile(above_level, shares, axis=0), axis=0)
    excesses = np.where(above_level > knots[-1], above_level - knots[-1], np.nan)
    counts = np.maximum((~np.isnan(excesses)).sum(axis=0), 1)
    means = np.nansum(excesses, axis=0) / counts
    return Tails(knots=knots.T.copy(), surprises=-np.log1p(-shares), scales=np.maximum(means, SMALLEST_ERROR_SCALE))


def cluster_excesses(values: Float64Array, start: float, quiet_readings: int) -> Float64Array:
    """Return by how much the largest value of each cluster exceeds `start`."""
    above = np.flatnonzero(values > start)
    if not len(above):
        return np.empty(0)
    first_of_cluster = np.flatnonzero(np.concatenate([[True], np.diff(above) > quiet_readings]))
    return np.maximum.reduceat(values[above], first_of_cluster) - start


def fit_excesses(excesses: Float64Array) -> tuple[float, float]:
    """Return (scale, shape) of a generalised Pareto distribution by maximum likelihood, within the limits above; finite."""
    count = len(excesses)
    scale, shape = (float(excesses.sum()) + PRIOR_CLUSTERS * PRIOR_SCALE) / (count + PRIOR_CLUSTERS), 0.0
    if count >= CLUSTERS_FOR_SHAPE and excesses.max() > excesses.min():
        with np.errstate(all="ignore"):
            fitted, _, _ = genpareto.fit(excesses, floc=0.0)
            if math.isfinite(fitted):
                bounded = min(max(float(fitted), -LARGEST_SHAPE), LARGEST_SHAPE)
                _, _, refitted = genpareto.fit(excesses, f0=bounded, floc=0.0)
                if math.isfinite(refitted):
                    scale, shape = float(refitted), bounded
    return max(scale, SMALLEST_SCALE), shape
