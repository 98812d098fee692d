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
    is_far_from_levels,
    looks_like_code,
    rest_of,
)

#: A value that occurs this often, to the last digit, was not measured each time.
FEWEST_REPEATS = 3
#: Most of a sensor's readings that may be error codes, other repeated values, and values that differ: more are of the process.
CODE_SHARE, REPEATED_SHARE, SINGLE_SHARE = 0.5, 0.05, 0.01
#: A failed read lasts this many readings at most, unless its value is an error code or far away; in this share of the cases.
_SHORT_READINGS, _SHORT_SHARE = 3, 0.9
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
    rest = values[~found.mask & ~np.isnan(values) & ~np.isin(values, list(found.doubtful))]
    if len(rest):
        found.low, found.high = float(rest.min()), float(rest.max())
    return found


def _sort_far(values: Float64Array, part: slice, repeats: Callable[[float], int], found: FarColumn) -> None:
    """Add the far values of one sensor's part of the column, in which a value occurs `repeats` times."""
    of_sensor = values[part]
    ordered = np.sort(of_sensor[~np.isnan(of_sensor)])
    near = rest_of(ordered, CODE_GAP)
    if near is None:
        _sort_levels(ordered, found)
        return
    mask = far_mask(of_sensor, near)
    if not mask.any():
        return
    wide = rest_of(ordered, FAR_GAP) or near
    counts = Counter(of_sensor[mask].tolist())
    left, singles = np.zeros(len(of_sensor), np.bool_), np.zeros(len(of_sensor), np.bool_)
    for value, count in counts.items():
        here = of_sensor == value
        is_very_far = not wide.low <= value <= wide.high
        if looks_like_code(value) and (repeats(value) >= FEWEST_REPEATS or is_very_far) and count <= CODE_SHARE * len(ordered):
            found.codes[value] = found.codes.get(value, 0) + count
        elif repeats(value) < FEWEST_REPEATS:
            singles |= here & is_very_far
        elif value in _ENDS or count > REPEATED_SHARE * len(ordered) or not (is_very_far or _is_short(here)):
            found.doubtful[value] = found.doubtful.get(value, 0) + count
        elif value == 0.0 and not _is_short(here):
            found.doubtful[value] = found.doubtful.get(value, 0) + count  # switched off
        else:
            found.repeated[value] = found.repeated.get(value, 0) + count
            left |= here
    if singles.any() and singles.sum() <= SINGLE_SHARE * len(ordered) and _is_short(singles):
        found.single += of_sensor[singles].tolist()
        left |= singles
    found.mask[part] |= left


def _sort_levels(ordered: Float64Array, found: FarColumn) -> None:
    """Add the error codes among few values or levels."""
    levels, counts = np.unique(ordered, return_counts=True)
    if len(levels) > FEWEST_DISTINCT:
        return
    for value, count in zip(levels.tolist(), counts.tolist(), strict=True):
        others = levels[levels != value]
        if looks_like_code(value) and count <= CODE_SHARE * len(ordered) and is_far_from_levels(value, others):
            found.codes[value] = found.codes.get(value, 0) + count


def _is_short(mask: BoolArray) -> bool:
    """Return whether nearly all runs of a mask are short."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return bool(np.mean(lengths <= _SHORT_READINGS) >= _SHORT_SHARE)


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
    notes += [
        f"column {name}: {value:.10g} {_times(count, total)}, far from the rest ({beside}). Kept as a measurement; "
        f"if it stands for a failed read, --missing-values {name}={value:.10g}"
        for value, count in found.doubtful.items()
    ]
    return notes


def _times(count: int, total: int) -> str:
    return f"{'once' if count == 1 else f'{count:,} times'} ({100.0 * count / total:.2g} % of the readings)"
