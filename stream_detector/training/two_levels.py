"""Finds features that run at two levels, such as the current of a pump that is on or off, to name the modes seen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, FloatArray
from stream_detector.tables.dataset import Dataset

#: Fewer values of a sensor tell nothing; more than these are thinned out evenly.
FEWEST_VALUES, MOST_VALUES = 200, 5_000
#: Each level has at least this share of a sensor's values, and the middle third of the way between them at most that.
SMALLEST_LEVEL, MOST_BETWEEN = 0.03, 0.05
#: The levels are this many times the mean deviation around them apart.
APART = 4.0
#: In so many of the sensors, at least.
SENSORS_SHARE = 0.5
#: Features that are named.
LISTED = 2


@dataclass(frozen=True, slots=True)
class TwoLevels:
    """A feature that is mostly near one of two levels; medians of the sensors in which it is."""

    feature: str
    low: float
    high: float
    low_share: float  # of the readings, nearer to the low level


def find_two_levels(dataset: Dataset, scored: BoolArray) -> tuple[TwoLevels, ...]:
    """Return the scored features [F] with two levels in most sensors, in the dataset's order."""
    bounds = np.searchsorted(dataset.codes, np.arange(len(dataset.sensors) + 1)).tolist()
    found = []
    for at in np.flatnonzero(scored).tolist():
        column = dataset.values[:, at]
        levels = [one for first, last in pairwise(bounds) if (one := _levels(column[first:last])) is not None]
        if levels and len(levels) >= SENSORS_SHARE * len(dataset.sensors):
            low, high, share = np.median(np.array(levels), axis=0).tolist()
            found.append(TwoLevels(dataset.features[at], low, high, share))
    return tuple(found)


def _levels(values: FloatArray) -> tuple[float, float, float] | None:
    """Return the low level, the high one, and the share of the low one, of a sensor's values; None without two levels."""
    ordered = np.sort(values[~np.isnan(values)].astype(np.float64))
    if len(ordered) < FEWEST_VALUES or ordered[0] == ordered[-1]:
        return None
    ordered = ordered[:: max(1, len(ordered) // MOST_VALUES)]
    cut = _best_cut(ordered)
    low, high = float(np.median(ordered[:cut])), float(np.median(ordered[cut:]))
    share, third = cut / len(ordered), (high - low) / 3.0
    between = float(np.mean((ordered > low + third) & (ordered < high - third)))
    around = float(np.mean(np.abs(np.concatenate([ordered[:cut] - low, ordered[cut:] - high]))))
    is_two = min(share, 1.0 - share) >= SMALLEST_LEVEL and between <= MOST_BETWEEN and high - low >= APART * around
    return (low, high, share) if is_two else None


def _best_cut(ordered: Float64Array) -> int:
    """Return where ascending values [N] split into two groups with the largest variance between them (Otsu 1979)."""
    count = len(ordered)
    below = np.arange(1, count)
    sums = np.cumsum(ordered)[:-1]
    gap = sums / below - (ordered.sum() - sums) / (count - below)
    return int(np.argmax(below * (count - below) * np.square(gap))) + 1
