"""Sorts the far values of a column into error codes, values that are left out of the training, and doubtful ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int32Array
from stream_detector.training.far_values import (
    CODE_GAP,
    FAR_GAP,
    FEWEST_DISTINCT,
    far_mask,
    has_gap,
    is_far_from_levels,
    looks_like_code,
    rest_of,
)
from stream_detector.training.jumps import find_jumps

#: A value that occurs this often, to the last digit, was not measured each time.
FEWEST_REPEATS = 3
#: Most of a column's values that may be repeated ones, and of a sensor's that may be different ones: more are of the process.
REPEATED_SHARE, SINGLE_SHARE = 0.05, 0.01
#: A failed read lasts this many readings at most, unless its value is an error code or far away; in this share of the cases.
_SHORT_READINGS, _SHORT_SHARE = 3, 0.9
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
    codes: dict[float, int] = field(default_factory=dict)  # error codes
    repeated: dict[float, int] = field(default_factory=dict)  # others that repeat
    single: list[float] = field(default_factory=list)
    jumps: list[float] = field(default_factory=list)  # single values that jump away from their neighbours and back
    doubtful: dict[float, int] = field(default_factory=dict)  # kept
    low: float = np.inf  # the range of the rest
    high: float = -np.inf


def find_far(values: Float64Array, sensors: Int32Array) -> FarColumn:
    """Find the far values of a column [N] of readings ordered by sensor and time; `sensors` [N] are their codes."""
    found = FarColumn(np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_))
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
    rest = values[~found.mask & ~np.isnan(values) & ~np.isin(values, list(found.doubtful))]
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
    ordered = ordered[~np.isin(ordered, codes)]
    near = rest_of(ordered, CODE_GAP)
    if near is None:
        _sort_levels(levels, found)
        return
    wide = rest_of(ordered, FAR_GAP) or near
    found.codes |= {value: 0 for value in codes if near.is_far(value, CODE_GAP)}
    found.codes |= {value: 0 for value in edges if looks_like_code(value) and far_mask(np.array(value), wide)}
    seldom = levels[(counts < FEWEST_REPEATS) & far_mask(levels, wide)]
    seldom = seldom[[repeats(value) < FEWEST_REPEATS and value not in found.codes for value in seldom.tolist()]]
    left = np.isin(of_sensor, seldom)
    if left.sum() > SINGLE_SHARE * len(ordered) or not _is_short(left):
        left[:] = False
    found.single += of_sensor[left].tolist()
    drops = rest_of(ordered, DROP_GAP) or near
    for value in sorted(edges - {*codes, *found.codes, *_ENDS, *seldom.tolist()}):
        here, count = of_sensor == value, repeats(value)
        is_near, is_very_far = not far_mask(np.array(value), near), bool(far_mask(np.array(value), wide))
        is_drop = count >= FEWEST_DROPS and far_mask(np.array(value), drops) and _is_drop(of_sensor, here)
        if count < FEWEST_REPEATS or (is_near and not is_drop):
            continue
        is_failed = is_drop or _is_short(here) or (is_very_far and value != 0.0)  # 0 for long: switched off
        kept = not is_failed or count > REPEATED_SHARE * len(values)
        sorted_into = found.doubtful if kept else found.repeated
        sorted_into[value] = sorted_into.get(value, 0) + int(here.sum())
        left |= here & (not kept)
    found.mask[part] |= left


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
    if not _is_short(here) or not len(usual):
        return False
    enters = here[1:] & ~here[:-1]
    steps = np.abs(np.diff(of_sensor))[enters]
    return bool(len(steps)) and bool(np.mean(steps > _DROP_STEPS * np.quantile(usual, _USUAL_STEPS)) >= _SHORT_SHARE)


def _sort_levels(levels: Float64Array, found: FarColumn) -> None:
    """Add the error codes among few levels."""
    if len(levels) > FEWEST_DISTINCT:
        return
    for value in levels.tolist():
        if looks_like_code(value) and is_far_from_levels(value, levels[levels != value]):
            found.codes[value] = 0


def _is_short(mask: BoolArray) -> bool:
    """Return whether nearly all runs of a mask are short."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return bool(np.count_nonzero(lengths <= _SHORT_READINGS) >= _SHORT_SHARE * len(lengths))


def notes_on_far(name: str, found: FarColumn, total: int) -> list[str]:
    """Return sentences on the far values of a column of `total` readings: what was done, and how to decide otherwise."""
    beside = f"all else is from {found.low:.6g} to {found.high:.6g}"
    measured = "if it is a measurement, --missing-values ''"
    notes = [
        f"column {name}: {value:.10g} {_times(count, total)} looks like an error code ({beside}). Taken as missing, in "
        f"training and in operation; {measured}"
        for value, count in found.codes.items()
    ]
    notes += [
        f"column {name}: {value:.10g} {_times(count, total)} is far from the rest ({beside}). Left out of the training, so an "
        f"alarm when it comes again; if it stands for a failed read, --missing-values {name}={value:.10g}; {measured}"
        for value, count in found.repeated.items()
    ]
    if found.single:
        low, high = min(found.single), max(found.single)
        what = f"{low:.10g}" if low == high else f"{len(found.single):,} values from {low:.10g} to {high:.10g}"
        notes.append(
            f"column {name}: {what} far from the rest ({beside}). Left out of the training, so an alarm when such a value "
            f"comes again; {measured}"
        )
    if found.jumps:
        notes.append(
            f"column {name}: {len(found.jumps):,} single values ({100.0 * len(found.jumps) / total:.2g} % of the readings) "
            f"from {min(found.jumps):.6g} to {max(found.jumps):.6g} jump away from those around them and back. Left out of the "
            f"training, so an alarm when that happens again; {measured}"
        )
    notes += [
        f"column {name}: {value:.10g} {_times(count, total)}, far from the rest ({beside}). Kept as a measurement; "
        f"if it stands for a failed read, --missing-values {name}={value:.10g}"
        for value, count in found.doubtful.items()
    ]
    return notes


def _times(count: int, total: int) -> str:
    return f"{'once' if count == 1 else f'{count:,} times'} ({100.0 * count / total:.2g} % of the readings)"
