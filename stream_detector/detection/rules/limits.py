"""The limits of the rules: how long healthy data never show what a rule looks for.

A value that repeats with probability p does so n times in a row with probability p^n, which falls below any rate at
n = ln(rate) / ln(p). Real values are held for longer than such a coin would, so a limit is also a multiple of the longest run
that healthy data show. A feature that hardly ever changes, such as a flag or a set point, has no limit: it proves nothing.

A limit is that of the sensor's own healthy data where there is enough of it, otherwise the largest of the fleet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.turns import TurnLimits
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from stream_detector.state.record_layout import MAXIMUM_RUN

#: The limit of what is never reported.
NEVER = np.int32(2**31 - 1)
#: A feature that changes at fewer readings than this, or in a smaller share of them, is a flag or a set point.
FEWEST_CHANGES, SMALLEST_CHANGING_SHARE = 20, 0.02
#: A feature that is missing in a larger share of healthy readings is not expected.
LARGEST_MISSING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """The settings that limits depend on."""

    frozen_readings: int = 20  # fewest repeats of one feature
    frozen_row_readings: int = 8  # fewest repeats of all features
    missing_readings: int = 20
    flapping_turns: int = 32  # fewest turns back and forth in a row
    healthy_factor: float = 3.0  # times the longest healthy run
    range_spans: float = 5.0  # beyond the healthy range, in widths of it
    ranges: Mapping[str, tuple[float | None, float | None]] | None = None  # limits set by hand, by feature
    units: Mapping[str, str] | None = None
    chance: float = 1e-8  # how rarely a run of repeats, or of missing values, reaches its limit by chance, per reading


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """The limits: rows as in the model's table of sensors, and a last row for unknown ones (row UNKNOWN, which is -1)."""

    unchanged: Int32Array  # [S + 1, F] repeats
    row: Int32Array  # [S + 1] repeats of all features
    absent: Int32Array  # [S + 1, F] readings without a value
    low: Float32Array  # [S + 1, F]
    high: Float32Array  # [S + 1, F]
    longest: Int32Array  # [S + 1, F] healthy repeats, for people
    row_longest: Int32Array  # [S + 1]
    longest_absent: Int32Array  # [S + 1, F]
    is_set: BoolArray  # [F] the range is set by hand
    units: tuple[str, ...]  # [F]
    least_run: int  # smallest of the limits of repeats
    flapping: TurnLimits


def rule_limits(healthy: HealthyData, features: tuple[str, ...], options: LimitOptions) -> RuleLimits:
    """Derive the limits from healthy data and settings."""
    has_enough = healthy.has_enough
    unchanged = _with_fleet(_unchanged_limits(healthy, options), has_enough)
    row = np.where((unchanged < NEVER).sum(axis=1) > 1, _with_fleet(_row_limits(healthy, options), has_enough), NEVER)
    low, high, is_set = _ranges(healthy, features, options)
    units = options.units or {}
    return RuleLimits(
        unchanged=unchanged,
        row=row,
        absent=_with_fleet(_absent_limits(healthy, options), has_enough),
        low=low,
        high=high,
        longest=_with_fleet(healthy.longest, has_enough),
        row_longest=_with_fleet(healthy.row_longest, has_enough),
        longest_absent=_with_fleet(healthy.longest_absent, has_enough),
        is_set=is_set,
        units=tuple(units.get(name, "") for name in features),
        least_run=int(min(unchanged.min(), row.min())),
        flapping=_turn_limits(healthy, has_enough, options),
    )


def _turn_limits(healthy: HealthyData, has_enough: BoolArray, options: LimitOptions) -> TurnLimits:
    """Derive the limits of steps back and forth. Sensors of other sizes may be unknown, so theirs must be larger."""
    step = _with_fleet(healthy.step, has_enough)
    step[-1] *= options.healthy_factor
    turns = np.ceil(np.maximum(options.flapping_turns, options.healthy_factor * healthy.turns))
    return TurnLimits(
        step=step,
        counts_gaps=~_with_fleet(~healthy.counts_gaps, has_enough),
        span=-_with_fleet(-healthy.span, has_enough),
        turns=_with_fleet(turns.astype(np.int32), has_enough),
        most=_with_fleet(healthy.turns, has_enough),
    )


def _with_fleet(of_sensor: NDArray[Any], has_enough: BoolArray) -> NDArray[Any]:
    """Return limits [S, ...] with the fleet's largest for sensors without enough data, and as a last row [S + 1, ...]."""
    largest = of_sensor.max(axis=0, keepdims=True)
    own = np.where(has_enough.reshape(-1, *[1] * (of_sensor.ndim - 1)), of_sensor, largest)
    return np.concatenate([own, largest])


def _unchanged_limits(healthy: HealthyData, options: LimitOptions) -> Int32Array:
    changes = healthy.pairs - healthy.repeats
    is_lively = (changes >= FEWEST_CHANGES) & (changes >= SMALLEST_CHANGING_SHARE * healthy.pairs) & healthy.scored
    limits = _run_limits(healthy.repeats, healthy.pairs, healthy.longest, options.frozen_readings, options)
    return np.where(is_lively, limits, NEVER)


def _row_limits(healthy: HealthyData, options: LimitOptions) -> Int32Array:
    pairs = np.maximum(healthy.readings - 1, 0)
    limits = _run_limits(healthy.row_repeats, pairs, healthy.row_longest, options.frozen_row_readings, options)
    return np.where(pairs - healthy.row_repeats >= FEWEST_CHANGES, limits, NEVER)


def _absent_limits(healthy: HealthyData, options: LimitOptions) -> Int32Array:
    readings = np.broadcast_to(healthy.readings[:, None], healthy.missing.shape)
    limits = _run_limits(healthy.missing, readings, healthy.longest_absent, options.missing_readings, options)
    return np.where(healthy.missing <= LARGEST_MISSING_SHARE * readings, limits, NEVER)


def _run_limits(hits: Int64Array, trials: Int64Array, longest: Int32Array, floor: int, options: LimitOptions) -> Int32Array:
    """Return how long a run must be: so long that it does not happen by chance, and longer than any healthy one."""
    by_chance = run_by_chance(hits, trials, options.chance)
    limit = np.maximum(np.maximum(floor, options.healthy_factor * longest), np.ceil(by_chance))
    return np.where(limit < MAXIMUM_RUN, limit, NEVER).astype(np.int32)


def run_by_chance(hits: Int64Array, trials: Int64Array, chance: float) -> Float64Array:
    """Return the run that chance reaches so rarely, where this share of readings extends it."""
    share: Float64Array = (hits + 3.0) / (trials + 3.0)  # 3: an upper bound where none was seen
    with np.errstate(divide="ignore"):
        return np.where(share < 1.0, math.log(chance) / np.log(share), np.inf)


def _ranges(
    healthy: HealthyData, features: tuple[str, ...], options: LimitOptions
) -> tuple[Float32Array, Float32Array, BoolArray]:
    """Return the limits of the values [S + 1, F], and which features' are set by hand [F]."""
    enough = healthy.has_enough[:, None]
    with np.errstate(invalid="ignore"):
        lowest, highest = np.fmin.reduce(healthy.lowest), np.fmax.reduce(healthy.highest)
    low = np.concatenate([np.where(enough, healthy.lowest, lowest), lowest[None]]).astype(np.float64)
    high = np.concatenate([np.where(enough, healthy.highest, highest), highest[None]]).astype(np.float64)
    width = options.range_spans * (high - low)
    learns = (width > 0) & healthy.scored & (_changing_share(healthy) >= SMALLEST_CHANGING_SHARE)
    low, high = np.where(learns, low - width, -np.inf), np.where(learns, high + width, np.inf)
    is_set = np.zeros(len(features), np.bool_)
    for name, (least, most) in (options.ranges or {}).items():
        at = features.index(name)
        low[:, at], high[:, at] = -np.inf if least is None else least, np.inf if most is None else most
        is_set[at] = True
    return low.astype(np.float32), high.astype(np.float32), is_set


def _changing_share(healthy: HealthyData) -> Float64Array:
    """Return the share of the fleet's readings at which a feature changes [F]."""
    changes = (healthy.pairs - healthy.repeats).sum(axis=0)
    return np.asarray(changes / np.maximum(healthy.pairs.sum(axis=0), 1))
