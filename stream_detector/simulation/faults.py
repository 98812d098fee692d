"""Plans faults and applies them to the fleet's readings.

A fault changes only the named features of one sensor in [start_ms, end_ms); all other readings stay bit for bit as the fleet
generated them. Like the fleet, faults do not depend on how a series is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.simulation.counter_rng import normal, uniform
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.timestamps import iso_time

KINDS = ("level_shift", "spike", "drift", "lost_correlation", "stuck", "noise", "changed_period")

_PLAN, _FAULT_NOISE, _MISSING = 10, 11, 12  # streams of random numbers; the fleet uses those below 10
_SIZES = {"spike": 4.0, "level_shift": 2.0, "drift": 2.5, "noise": 0.8, "changed_period": 0.3}  # in spreads; period: factor
_RHYTHMIC = ("pressure", "flow", "current")  # the controller's oscillation shows in these


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one sensor."""

    kind: str  # one of KINDS
    sensor: int  # position in the fleet
    features: tuple[str, ...]
    start_ms: int
    end_ms: int
    size: float  # in spreads of the feature (Fleet.spread); changed_period: factor of the period; else unused
    away_ms: int = 0  # lost_correlation: the features repeat their values from this much earlier

    def sensor_id(self) -> str:
        """Return the name of the sensor."""
        return f"pump-{self.sensor + 1}"


def describe(fault: Fault) -> str:
    """Describe the fault in one line: what goes wrong, where and when."""
    seconds = (fault.end_ms - fault.start_ms) / 1000.0
    what = f"{fault.kind.replace('_', ' ')} of {', '.join(fault.features)}"
    return f"fault: {fault.sensor_id()} {what}, from {iso_time(fault.start_ms)} for {seconds:g} s"


def apply_faults(fleet: Fleet, times_ms: Int64Array, values: Float64Array, faults: Sequence[Fault]) -> Float64Array:
    """Return a copy of the fleet's values [S, N, F] at `times_ms` [N] with the faults applied."""
    changed = values.copy()
    spread = fleet.spread()
    for fault in faults:
        within = (times_ms >= fault.start_ms) & (times_ms < fault.end_ms)
        if not within.any():
            continue
        columns = _positions(fault)
        cells = np.ix_(np.nonzero(within)[0], columns)
        before = changed[fault.sensor][cells]  # [n, c]
        after = _EFFECTS[fault.kind](fleet, fault, times_ms[within], before, spread[fault.sensor, columns])
        changed[fault.sensor][cells] = np.round(after, 3)
    return changed


def labels(fleet: Fleet, times_ms: Int64Array, faults: Sequence[Fault]) -> Int64Array:
    """Return the fault of each reading [S, N], as its position in `faults`, or -1."""
    inside = np.full((fleet.sensors, len(times_ms)), -1, dtype=np.int64)
    for number, fault in enumerate(faults):
        inside[fault.sensor, (times_ms >= fault.start_ms) & (times_ms < fault.end_ms)] = number
    return inside


def missing(fleet: Fleet, times_ms: Int64Array, share: float) -> BoolArray:
    """Return a random mask of missing values [S, N, F]."""
    sensors = np.arange(fleet.sensors)[:, None, None]
    return uniform(fleet.seed, _MISSING, sensors, times_ms[None, :, None], np.arange(len(FEATURES))) < share


def plan_faults(fleet: Fleet, start_ms: int, end_ms: int, count: int) -> list[Fault]:
    """Return `count` faults spread evenly over a span of time, or fewer if they do not fit."""
    every_seconds = (end_ms - start_ms) / 1000.0 / max(count, 1)
    coming = takewhile(lambda fault: fault.end_ms <= end_ms, endless_faults(fleet, start_ms, every_seconds))
    return [fault for _, fault in zip(range(count), coming, strict=False)]


def endless_faults(fleet: Fleet, start_ms: int, every_seconds: float) -> Iterator[Fault]:
    """Yield faults by start time, one in each span of `every_seconds`, kinds in turn; the fleet's seed determines all of them.

    A sensor has at most one fault at a time, followed by an equally long rest. A fault is placed only where it changes its
    features visibly, by at least a fifth of their spread on average: a value stuck in a flat stretch cannot be found. For
    changed_period, which affects only the small oscillation within a mode, a thirtieth suffices.
    """
    free_at = np.full(fleet.sensors, start_ms, dtype=np.int64)
    number = 0
    while True:
        fault = _place(fleet, number, start_ms, every_seconds, free_at)
        if fault is not None:
            free_at[fault.sensor] = 2 * fault.end_ms - fault.start_ms
            yield fault
        number += 1


def _place(fleet: Fleet, number: int, origin_ms: int, every_seconds: float, free_at: Int64Array) -> Fault | None:
    """Draw a fault that starts in the first third of span `number`; None if no attempt finds a free sensor and a visible fault.

    It starts and ends on the grid of the readings, which starts at `origin_ms`.
    """
    interval_ms = fleet.interval_seconds * 1000.0
    span = every_seconds / fleet.interval_seconds  # in readings
    kind = KINDS[number % len(KINDS)]
    for attempt in range(40):
        draw = uniform(fleet.seed, _PLAN, number, attempt, np.arange(5))
        sensor = int(draw[0] * fleet.sensors)
        first = round((number + draw[1] / 3.0) * span)
        start_ms = origin_ms + round(first * interval_ms)
        if start_ms < free_at[sensor]:
            continue
        most = max(round(span * fleet.sensors / 3.0), 2)  # rest included, so that some pumps have no fault
        length = 2 if kind == "spike" else min(60 + int(60 * draw[2]), most)
        end_ms = origin_ms + round((first + length) * interval_ms)
        size = _SIZES.get(kind, 0.0) * (0.8 + 0.4 * draw[3])
        fault = Fault(kind, sensor, _features_of(kind, float(draw[4])), start_ms, end_ms, float(size))
        if kind == "lost_correlation":
            fault = _with_best_source(fleet, fault)
        if _is_visible(fleet, fault):
            return fault
    return None


def _features_of(kind: str, draw: float) -> tuple[str, ...]:
    if kind == "changed_period":
        return _RHYTHMIC
    return (FEATURES[int(draw * len(FEATURES))],)


def _with_best_source(fleet: Fleet, fault: Fault) -> Fault:
    """Choose the earlier time whose values differ most from the current ones, so that the correlation visibly breaks."""
    sources = [replace(fault, away_ms=round(fleet.dwell() * 1000.0 * away)) for away in (1.0, 1.7, 2.9, 4.3, 5.9)]
    return max(sources, key=lambda source: _mean_change(fleet, source))


def _is_visible(fleet: Fleet, fault: Fault) -> bool:
    return _mean_change(fleet, fault) >= (0.03 if fault.kind == "changed_period" else 0.2)


def _mean_change(fleet: Fleet, fault: Fault) -> float:
    """Return how much a fault changes its features on average, in spreads."""
    steps = max(int((fault.end_ms - fault.start_ms) / (fleet.interval_seconds * 1000.0)), 1)
    times_ms, values = fleet.readings(fault.start_ms, steps)
    change = np.abs(apply_faults(fleet, times_ms, values, [fault]) - values)[fault.sensor]  # [n, F]
    return float((change.mean(axis=0) / fleet.spread()[fault.sensor])[_positions(fault)].mean())


def _columns(fleet: Fleet, fault: Fault, times_ms: Int64Array, period_factor: float = 1.0) -> Float64Array:
    """Return the healthy values [n, c] of the fault's features at other times."""
    values = fleet.values(np.array([fault.sensor]), times_ms, period_factor)[0]
    return np.asarray(values[:, _positions(fault)])


def _positions(fault: Fault) -> Int64Array:
    """Return the positions [c] of the fault's features."""
    return np.array([FEATURES.index(name) for name in fault.features], dtype=np.int64)


# Returns the changed values [n, c] at times [n]; `spread` [c] is the unit of the fault's size.
_Effect = Callable[[Fleet, Fault, Int64Array, Float64Array, Float64Array], Float64Array]


def _shift(_fleet: Fleet, fault: Fault, _times: Int64Array, before: Float64Array, spread: Float64Array) -> Float64Array:
    return before + fault.size * spread


def _drift(_fleet: Fleet, fault: Fault, times: Int64Array, before: Float64Array, spread: Float64Array) -> Float64Array:
    progress = (times - fault.start_ms) / (fault.end_ms - fault.start_ms)
    return before + progress[:, None] * fault.size * spread


def _stuck(fleet: Fleet, fault: Fault, _times: Int64Array, before: Float64Array, _spread: Float64Array) -> Float64Array:
    return np.broadcast_to(_columns(fleet, fault, np.array([fault.start_ms])), before.shape)


def _noise(fleet: Fleet, fault: Fault, times: Int64Array, before: Float64Array, spread: Float64Array) -> Float64Array:
    draw = normal(fleet.seed, _FAULT_NOISE, fault.sensor, times[:, None], _positions(fault))
    return before + fault.size * spread * draw


def _lost_correlation(
    fleet: Fleet, fault: Fault, times: Int64Array, _before: Float64Array, _spread: Float64Array
) -> Float64Array:
    return _columns(fleet, fault, times - fault.away_ms)


def _changed_period(
    fleet: Fleet, fault: Fault, times: Int64Array, _before: Float64Array, _spread: Float64Array
) -> Float64Array:
    return _columns(fleet, fault, times, period_factor=fault.size)


_EFFECTS: dict[str, _Effect] = {
    "spike": _shift,
    "level_shift": _shift,
    "drift": _drift,
    "stuck": _stuck,
    "noise": _noise,
    "lost_correlation": _lost_correlation,
    "changed_period": _changed_period,
}
