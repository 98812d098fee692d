"""Sorts the far values of a column into error codes, values that are left out of the training, and doubtful ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int32Array
from stream_detector.training.far_values import (
    CODE_GAP,
    FAR_GAP,
    FEWEST_DISTINCT,
    Rest,
    far_mask,
    has_gap,
    is_far_from_levels,
    looks_like_code,
    rest_of,
)
from stream_detector.training.jumps import find_jumps
from stream_detector.training.standing import Lasting, are_short, lasting, longest_run

#: A value that occurs this often, to the last digit, was not measured each time.
FEWEST_REPEATS = 3
#: Most of a column's values that may be repeated ones, and of a sensor's that may be different ones: more are of the process.
REPEATED_SHARE, SINGLE_SHARE = 0.05, 0.01
#: Failed reads of a sensor have this many values at most, but for single ones.
FAILED_LEVELS = 5
#: This share of the failed reads are short, unless their value is an error code or far away.
_SHORT_SHARE = 0.9
#: A gap, in ranges of the rest, beside which a value that repeats this often is a failed read if nearly every step to it is
#: this many times a usual one, which this share of the sensor's other steps do not exceed.
DROP_GAP, FEWEST_DROPS = 0.25, 5
_DROP_STEPS, _USUAL_STEPS = 4.0, 0.99
#: Far values are among so many lowest and highest distinct values of a sensor.
_EDGE_LEVELS = 10
#: Ends of common ranges, which values reach when all is well: never left out.
_ENDS = (100.0, 1.0)


@dataclass(slots=True)
class FarColumn:
    """The far values of a column, with how often they occur."""

    mask: BoolArray  # [N] not to be trained on
    code_mask: BoolArray  # [N] error codes, which are in `mask` too
    standing: BoolArray  # [N] of a machine that stands; kept
    longest_standing: int = 0  # readings in a row
    codes: dict[float, int] = field(default_factory=dict)  # error codes
    repeated: dict[float, int] = field(default_factory=dict)  # others that repeat
    single: list[float] = field(default_factory=list)
    jumps: list[float] = field(default_factory=list)  # single values that jump away from their neighbours and back
    doubtful: dict[float, int] = field(default_factory=dict)  # kept
    beside: dict[float, tuple[float, float]] = field(default_factory=dict)  # by value: the range of the rest of its sensor
    low: float = np.inf  # the range of the rest
    high: float = -np.inf
    crowd: int = 0  # values far from the rest, come and gone, that are too many and too different for failed reads; kept

    def known(self) -> frozenset[float]:
        """Return the values that were sorted so far."""
        return frozenset((*self.codes, *self.repeated, *self.doubtful))

    def remember_rest(self, of_sensor: Float64Array, before: frozenset[float]) -> None:
        """Keep the range of the rest of a sensor for the values that were found far from it, and were not known before."""
        known = self.known()
        rest = of_sensor[~np.isnan(of_sensor) & ~np.isin(of_sensor, list(known))]
        if len(rest):
            self.beside |= dict.fromkeys(known - before, (float(rest.min()), float(rest.max())))


def find_far(values: Float64Array, sensors: Int32Array) -> FarColumn:
    """Find the far values of a column [N] of readings ordered by sensor and time; `sensors` [N] are their codes."""
    found = FarColumn(np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_))
    bounds = [*np.flatnonzero(np.diff(sensors, prepend=-1)).tolist(), len(values)]
    parts = [slice(first, last) for first, last in pairwise(bounds)]
    levels, counts = np.unique(values, return_counts=True)
    for part in parts:
        _sort_far(values, part, lambda value: int(counts[np.searchsorted(levels, value)]), found)
    if found.codes:
        found.code_mask = np.isin(values, list(found.codes))
        found.codes = dict(Counter(values[found.code_mask].tolist()))
        found.mask |= found.code_mask
    for part in parts:
        _leave_out_jumps(values, part, found)
    rest = values[~found.mask & ~found.standing & ~np.isnan(values) & ~np.isin(values, list(found.doubtful))]
    if len(rest):
        found.low, found.high = float(rest.min()), float(rest.max())
    return found


def _sort_far(values: Float64Array, part: slice, repeats: Callable[[float], int], found: FarColumn) -> None:
    """Add the far values of one sensor's part of the column, in which a value occurs `repeats` times."""
    of_sensor = values[part]
    ordered = np.sort(of_sensor[~np.isnan(of_sensor)])
    if _has_nothing_far(ordered):
        return
    levels, counts = np.unique(ordered, return_counts=True)
    edges = {*levels[:_EDGE_LEVELS].tolist(), *levels[-_EDGE_LEVELS:].tolist()}
    codes = [value for value in edges if looks_like_code(value) and repeats(value) >= FEWEST_REPEATS]
    before = found.known()
    ordered = ordered[~np.isin(ordered, codes)]
    near = rest_of(ordered, CODE_GAP)
    if near is None:
        _sort_levels(levels, found)
        return
    wide, drops = rest_of(ordered, FAR_GAP) or near, rest_of(ordered, DROP_GAP) or near
    found.codes |= {value: 0 for value in codes if near.is_far(value, CODE_GAP)}
    found.codes |= {value: 0 for value in edges if looks_like_code(value) and far_mask(np.array(value), wide)}
    is_code = np.isin(of_sensor, codes)
    stays = lasting(of_sensor, is_code, drops)
    seldom = levels[(counts < FEWEST_REPEATS) & far_mask(levels, wide)]
    seldom = seldom[[repeats(value) < FEWEST_REPEATS and value not in found.codes for value in seldom.tolist()]]
    left = np.isin(of_sensor, seldom) & ~stays.any
    if left.sum() > SINGLE_SHARE * len(ordered) or not are_short(left, _SHORT_SHARE):
        left[:] = False
    found.single += of_sensor[left].tolist()
    counted = {value: repeats(value) for value in sorted(edges - {*codes, *found.codes, *_ENDS, *seldom.tolist()})}
    may_fail = ~is_code & ~stays.any
    sensor = _Sensor(of_sensor, stays, [_Far.of(of_sensor, may_fail, rest, len(ordered)) for rest in (near, wide, drops)])
    left |= _sort_repeated(sensor, counted, REPEATED_SHARE * len(values), found)
    found.mask[part] |= left
    found.standing[part] = stands = stays.towards_zero & far_mask(of_sensor, near)
    found.longest_standing = max(found.longest_standing, longest_run(stands))
    found.remember_rest(of_sensor[~left & ~stands], before)
    if sensor.far[-1].is_crowded:
        found.crowd += int(np.count_nonzero(far_mask(of_sensor, drops) & may_fail & ~left))


@dataclass(frozen=True, slots=True)
class _Far:
    """What is far from a rest."""

    rest: Rest
    is_crowded: bool  # it is so many different values, which do not last, that they are no failed reads

    @classmethod
    def of(cls, of_sensor: Float64Array, may_fail: BoolArray, rest: Rest, total: int) -> _Far:
        _, counts = np.unique(of_sensor[far_mask(of_sensor, rest) & may_fail], return_counts=True)
        return cls(rest, int(np.sort(counts)[:-FAILED_LEVELS].sum()) > SINGLE_SHARE * total)

    def has(self, value: float) -> bool:
        """Return whether a value is far and may be a failed read."""
        return not self.is_crowded and bool(far_mask(np.array(value), self.rest))


@dataclass(frozen=True, slots=True)
class _Sensor:
    """The values of a sensor, what of them lasts, and what is far, very far, and beyond where its drops begin."""

    values: Float64Array
    stays: Lasting
    far: Sequence[_Far]


def _sort_repeated(sensor: _Sensor, counted: Mapping[float, int], most: float, found: FarColumn) -> BoolArray:
    """Add values that occur `counted` times in the column; return which of the sensor's [N] are left out.

    A value that occurs more than `most` times is not.
    """
    left, stays = np.zeros(len(sensor.values), np.bool_), sensor.stays
    for value, count in counted.items():
        here = sensor.values == value
        is_far, is_very_far, is_beyond = (far.has(value) for far in sensor.far)
        is_short = not stays.lasts(here) and are_short(here, _SHORT_SHARE)
        is_drop = is_short and count >= FEWEST_DROPS and is_beyond and _is_drop(sensor.values, here)
        if count < FEWEST_REPEATS or not (is_far or is_very_far or is_drop) or stays.is_of_machine(sensor.values, here):
            continue
        kept = count > most or not (is_drop or is_short or is_very_far)
        here &= ~stays.towards_zero
        sorted_into = found.doubtful if kept else found.repeated
        sorted_into[value] = sorted_into.get(value, 0) + int(here.sum())
        left |= here & (not kept)
    return left


def _leave_out_jumps(values: Float64Array, part: slice, found: FarColumn) -> None:
    """Add the jumps of one sensor's part of the column, apart from what is left out already."""
    kept = np.arange(part.start, part.stop)[~(np.isnan(values[part]) | found.mask[part])]
    jumps = kept[find_jumps(values[kept])]
    found.jumps += values[jumps].tolist()
    found.mask[jumps] = True


def _has_nothing_far(ordered: Float64Array) -> bool:
    """Return, quickly, whether ascending values are surely all of the process: most columns of most sensors."""
    if not len(ordered) or looks_like_code(float(ordered[0])) or looks_like_code(float(ordered[-1])):
        return not len(ordered)
    if not has_gap(ordered, DROP_GAP):
        return True
    rest = rest_of(ordered, DROP_GAP)
    return rest is not None and (rest.low, rest.high) == (ordered[0], ordered[-1])


def _is_drop(of_sensor: Float64Array, here: BoolArray) -> bool:
    """Return whether a value comes and goes, nearly always, by steps that the sensor else does not make."""
    usual = np.abs(np.diff(of_sensor[~here & ~np.isnan(of_sensor)]))
    enters = here[1:] & ~here[:-1]
    steps = np.abs(np.diff(of_sensor))[enters]
    if not len(usual) or not len(steps):
        return False
    return bool(np.mean(steps > _DROP_STEPS * np.quantile(usual, _USUAL_STEPS)) >= _SHORT_SHARE)


def _sort_levels(levels: Float64Array, found: FarColumn) -> None:
    """Add the error codes among few levels."""
    if len(levels) > FEWEST_DISTINCT:
        return
    for value in levels.tolist():
        if looks_like_code(value) and is_far_from_levels(value, levels[levels != value]):
            found.codes[value] = 0
