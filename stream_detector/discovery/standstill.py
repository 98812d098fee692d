"""Finds out whether machines stand for long where no state tells: by measurements that are near 0 meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.discovery.machine_state import (
    FEWEST_READINGS,
    LISTED,
    MOST_STATES,
    NEARLY,
    SMALLEST_SHARE,
    AtWork,
    Measured,
    Readings,
    quoted,
)
from stream_detector.discovery.name_words import is_of_drive, is_of_process, turns
from stream_detector.discovery.naming import listed
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: Values up to the first share of a high value are of a machine that stands, from the second on at work; this
#: share of the first may lie between, and they stay for so many readings in the median.
_LOW, _HIGH, _BETWEEN, _LONG = 0.2, 0.5, 0.1, 10
#: Readings in a window, as it is usual.
_WINDOW = 64


@dataclass(frozen=True, slots=True)
class _Near0:
    """A feature that is near 0 for long times."""

    feature: str
    condition: str
    says: str  # the feature and its values, in words
    low: BoolArray  # [N]
    known: BoolArray  # [N] where it has a value

    @property
    def share(self) -> float:
        """In which share of the readings it is."""
        return float(self.low.mean())

    def agrees(self, other: _Near0) -> bool:
        """Return whether both are near 0 in nearly the same readings."""
        either = (self.low | other.low) & self.known & other.known
        return bool(np.count_nonzero(self.low & other.low) >= max(1.0, NEARLY * np.count_nonzero(either)))


def find_standing(readings: Readings) -> AtWork | None:
    """Return a condition on the measurements that show that machines stand for long; None if none does.

    What drives a machine comes before other measurements, a speed first, and what it does to the process last; of these, the
    plainest counts, with one that is near 0 in the same readings.
    """
    found = [one for name in readings.features if (one := _near_0(readings, name)) is not None]
    drives, process = ([one for one in found if of(one.feature)] for of in (is_of_drive, is_of_process))
    others = [one for one in found if one not in drives and one not in process]
    groups: tuple[tuple[Measured, list[_Near0]], ...] = (("drive", drives), ("other", others), ("process", process))
    for measured, group in groups:
        if group:
            best = max(group, key=lambda one: (turns(one.feature), one.share))
            return _together(readings, best, [one for one in group if one is not best and one.agrees(best)], measured)
    return None


def question(standing: AtWork, how: str) -> str:
    """Ask whether machines stand, and say what follows; `how` is what to set, with {} for the condition."""
    asked = f"{standing.reason()}: do machines stand then?"
    if standing.measured == "process":
        return (
            f"{asked} Only what they do to the process shows it, so no condition is proposed: a fault that takes this away "
            "would count as standing, and nothing would find it. Better have a state, a speed or a current of each machine "
            "beside it (docs/idle.md)"
        )
    return (
        f"{asked} Nothing is named as a state. To learn and judge only machines at work, {how.format(standing.condition)}; a "
        f"fault that takes {listed(standing.features, LISTED)} away would then count as standing (docs/idle.md)"
    )


def _near_0(readings: Readings, name: str) -> _Near0 | None:
    """Return where a feature is near 0 for long, with the border above which machines are at work; None if it is not so."""
    values, condition_name = readings.column(name), quoted(name)
    if not condition_name or len(np.unique(values)) <= MOST_STATES:
        return None  # a flag, whatever it says
    low = np.zeros(len(values), np.bool_)
    highs = [_lows(values[part], low[part]) for part in readings.parts()]
    at_work = [high for high in highs if high is not None]
    if not at_work or low.mean() < SMALLEST_SHARE:
        return None
    border = float(f"{(_LOW + _HIGH) / 2.0 * float(np.median(at_work)):.2g}")
    if not all(_divides(border, values[part], low[part]) for part in readings.parts()):
        return None  # machines of other sizes: some would never be at work
    resting = float(np.median(values[low]))
    says = f"{name} is near 0 (about {resting:.2g}, else about {float(np.median(values[values > border])):.4g})"
    return _Near0(name, f"{condition_name} > {border:g}", says, low, ~np.isnan(values))


def _together(readings: Readings, best: _Near0, alike: Sequence[_Near0], measured: Measured) -> AtWork:
    """Return that machines are at work while any of these is not near 0: what takes one of them away is no standstill."""
    taken = (best, *alike[: LISTED - 1])
    also = f" and {listed([one.feature for one in alike], LISTED)} with it," if alike else ""
    is_sure = len(taken) > 1 and turns(best.feature) and _work_lasts(readings, best.low)
    return AtWork(
        condition=" or ".join(one.condition for one in taken),
        says=f"{best.says}{also}",
        standing_share=best.share,
        shows=(),
        measured=measured,
        features=tuple(one.feature for one in taken),
        is_sure=is_sure,
    )


def _work_lasts(readings: Readings, low: BoolArray) -> bool:
    """Return whether machines mostly work for a window or more between two stops [N]: each begins a new one."""
    lengths = np.concatenate([_runs(~low[part]) for part in readings.parts()])
    return bool(len(lengths)) and float(np.median(np.repeat(lengths, lengths))) >= _WINDOW


def _runs(mask: BoolArray) -> Int64Array:
    """Return how long the runs of a mask [N] are."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)


def _divides(border: float, values: Float64Array, low: BoolArray) -> bool:
    """Return whether a border tells a sensor's values [N] at work from its `low` ones."""
    at_work = values[~low & ~np.isnan(values)]
    return bool(np.mean(values[low] <= border) >= NEARLY if low.any() else True) and (
        not len(at_work) or bool(np.mean(at_work > border) >= 1.0 - _BETWEEN)
    )


def _lows(values: Float64Array, low: BoolArray) -> float | None:
    """Mark in place where a sensor's values [N] are of a machine that stands; return its high value, None if none are."""
    there = np.flatnonzero(~np.isnan(values))
    if len(there) < FEWEST_READINGS or (high := float(np.quantile(values[there], 0.9))) <= 0.0:
        return None
    is_low = np.abs(values[there]) <= _LOW * high
    between = np.count_nonzero(~is_low & (values[there] < _HIGH * high))
    lengths = _runs(is_low)
    if np.count_nonzero(is_low) < FEWEST_READINGS or between > _BETWEEN * np.count_nonzero(is_low):
        return None
    if float(np.median(np.repeat(lengths, lengths))) < _LONG:
        return None
    low[there[is_low]] = True
    return high
