"""Finds values that are not of the process: far outside everything else that the sensor measured, and how often they repeat.

A value is far if the gap between it and the rest of its column is many times the range of that rest. So a long tail is never
far, however long, nor is a second mode of operation that is as wide as the first; a failed read written as -9999 is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float64Array

#: Fewer values than this tell nothing about their range.
FEWEST_VALUES = 100
#: A column with fewer distinct values in its core has levels, such as modes: a rare level is not an error.
FEWEST_DISTINCT = 20
#: Shares of the values that may be the core, narrowest first: the first that varies is.
_CORES = (0.5, 0.8, 0.9, 0.95, 0.98)
#: Gaps, in ranges of the rest, from which a value is far: one that looks like an error code, and any other.
CODE_GAP, FAR_GAP = 1.0, 10.0
#: A value that looks like an error code is far from levels if it is this many times their largest magnitude away.
_LEVEL_GAP = 5.0
#: Largest and smallest 16- and 32-bit integers, and the largest of 12 bits are not measured values when they are far away.
_BINARY = (32767, -32768, 65535, 65534, 2147483647, -2147483648, 4294967295)
#: Absolute zero, in degrees, is what a temperature becomes whose raw value is 0.
_TEMPERATURES = frozenset({-273.15, -273.1, -273.2, -273.0, -459.67, -459.7})
_CODES = _TEMPERATURES | frozenset(float(f"{number / scale:.6g}") for number in _BINARY for scale in (1.0, 10.0, 100.0, 1000.0))
_HUGE = 1.0e20


@dataclass(frozen=True, slots=True)
class Rest:
    """The range of a column without the values that are far from it."""

    low: float
    high: float

    def is_far(self, value: float, gap: float) -> bool:
        """Return whether a value is further away than `gap` times the range."""
        return max(self.low - value, value - self.high) > gap * (self.high - self.low)


def looks_like_code(value: float) -> bool:
    """Return whether a value is one that programs write for a failed read.

    All nines or eights, the end of an integer type, or a temperature that there is not.
    """
    if not math.isfinite(value) or abs(value) >= _HUGE:
        return True
    shown = f"{abs(value):.6g}"
    if math.copysign(float(shown), value) in _CODES:
        return True
    digits = shown.replace(".", "")
    return (len(digits) >= 3 and set(digits) == {"9"}) or (len(digits) >= 4 and set(digits) == {"8"})


def rest_of(ordered: Float64Array, gap: float) -> Rest | None:
    """Return the range of ascending values without those far from it by `gap`; None if they are few, or levels."""
    count = len(ordered)
    if count < FEWEST_VALUES:
        return None
    for core in _CORES:
        cut = int((1.0 - core) / 2.0 * count)
        low, high = cut, count - 1 - cut
        if ordered[high] > ordered[low] and len(np.unique(ordered[low : high + 1])) >= FEWEST_DISTINCT:
            break
    else:
        return None
    for _ in range(2):  # what is far below depends on how far up the rest reaches, and the other way round
        high = cut + _reach(ordered[cut:] - ordered[low], count - 1 - 2 * cut, gap)
        low = count - 1 - cut - _reach(ordered[high] - ordered[: count - cut][::-1], count - 1 - 2 * cut, gap)
    return Rest(float(ordered[low]), float(ordered[high]))


def has_gap(ordered: Float64Array, gap: float) -> bool:
    """Return, quickly, whether ascending values may have a gap of `gap` times their range; False only if they surely do not."""
    quarter = len(ordered) // 4
    core = float(ordered[len(ordered) - 1 - quarter] - ordered[quarter])
    return core <= 0.0 or float((ordered[1:] - ordered[:-1]).max(initial=0.0)) > gap * core


def _reach(distances: Float64Array, core: int, gap: float) -> int:
    """Return the last of ascending distances, from position `core` on, before a gap of `gap` times the distance so far."""
    outer = distances[core:]
    jumps = np.flatnonzero(np.diff(outer) > gap * outer[:-1])
    return core + (int(jumps[0]) if len(jumps) else len(outer) - 1)


def far_mask(values: Float64Array, rest: Rest) -> BoolArray:
    """Mark the values [N] outside the rest; a missing one is not."""
    return np.asarray((values < rest.low) | (values > rest.high))


def is_far_from_levels(value: float, others: Float64Array) -> bool:
    """Return whether a value is many times the magnitude of all others away from them."""
    magnitude = max(float(np.abs(others).max(initial=0.0)), 1.0)
    return bool(len(others)) and float(np.abs(others - value).min()) > _LEVEL_GAP * magnitude
