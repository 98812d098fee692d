"""Counter-based random numbers: a pure function of a seed and counters, so any part of a series can be generated alone.

A stateful generator would give different numbers when a series is cut differently. Here the counters (sensor, time,
feature, ...) are hashed with the finaliser of SplitMix64 (Steele, Lea & Flood 2014), vectorised over arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream_detector.readings import Float64Array

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def uniform(seed: int, stream: int, *counters: ArrayLike) -> Float64Array:
    """Return numbers in [0, 1), one for each tuple of `counters` (integers, broadcast together).

    `stream` separates uses that would otherwise share counters. Equal arguments give equal numbers, element by element.
    """
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2**64
        state = _mix(np.asarray([seed & 0xFFFF_FFFF_FFFF_FFFF], dtype=np.uint64))
        state = _mix(state + np.uint64(stream) * _GOLDEN)
        for counter in counters:
            state = _mix((state ^ np.asarray(counter, dtype=np.int64).astype(np.uint64)) + _GOLDEN)
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def normal(seed: int, stream: int, *counters: ArrayLike) -> Float64Array:
    """Return standard normal numbers, one for each tuple of `counters`, by the Box-Muller transform (1958)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seed, stream, *counters, 0)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(seed, stream, *counters, 1)))


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
