"""How often each sensor of a dataset is read: its interval, its usual longest pause, and where its full windows end.

The stream learns the same figures reading by reading (state/pace.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.state.pace import GAP_INTERVALS, GAP_PAUSES
from stream_detector.tables.dataset import Dataset

#: The share of a sensor's steps that are no longer than its usual longest pause.
_USUAL_SHARE = 0.98


@dataclass(frozen=True, slots=True)
class Paces:
    """How often S sensors are read. A sensor with a single reading has the median of the others."""

    interval_ms: Float64Array  # [S] > 0: mean time between readings, without gaps
    pause_ms: Float64Array  # [S] usual longest pause, at least the interval

    def gap_limits_ms(self, gap_intervals: float = GAP_INTERVALS) -> Float64Array:
        """Return the longest pause within a window of each sensor [S]."""
        return np.asarray(np.maximum(gap_intervals * self.interval_ms, GAP_PAUSES * self.pause_ms))


def sensor_paces(dataset: Dataset) -> Paces:
    """Return the paces of a cleaned dataset's sensors; raise InputDataError if no sensor has two readings.

    Gaps, steps of over ten times the median and three times the 98 % quantile of the sensor's steps, do not count, nor do steps
    over readings that the user left out.
    """
    same = dataset.goes_on()[1:]
    steps, codes = np.diff(dataset.times_ms)[same], dataset.codes[1:][same]
    if not len(steps):
        msg = "no sensor has two readings at different times, the least that training needs"
        raise InputDataError(msg)
    sensors = len(dataset.sensors)
    counts = np.bincount(codes, minlength=sensors)
    ordered = steps[np.lexsort((steps, codes))].astype(np.float64)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    known = counts > 0
    median, pause = np.full(sensors, np.nan), np.full(sensors, np.nan)
    median[known] = ordered[first[known] + (counts[known] - 1) // 2]
    pause[known] = ordered[first[known] + (_USUAL_SHARE * (counts[known] - 1)).astype(np.int64)]
    inside = steps <= np.maximum(GAP_INTERVALS * median, GAP_PAUSES * pause)[codes]
    interval = np.full(sensors, np.nan)
    total, number = np.bincount(codes[inside], steps[inside], sensors), np.bincount(codes[inside], minlength=sensors)
    interval[known] = total[known] / np.maximum(number[known], 1)
    interval = np.where(known, interval, np.nanmedian(interval))
    return Paces(interval, np.fmax(interval, pause))


def window_ends(dataset: Dataset, window_length: int, gap_limits_ms: Float64Array) -> Int64Array:
    """Return the positions in a cleaned dataset where a full window ends: of one sensor, without a gap over its limit [S].

    Nor does it have readings of before and after some that the user left out.
    """
    if not len(dataset):
        return np.empty(0, np.int64)
    restarts = restarts_of(dataset, gap_limits_ms)
    positions = np.arange(len(dataset), dtype=np.int64)
    run_start = np.maximum.accumulate(np.where(np.concatenate([[True], restarts]), positions, 0))
    return positions[positions - run_start >= window_length - 1]


def restarts_of(dataset: Dataset, gap_limits_ms: Float64Array) -> BoolArray:
    """Return which readings of a cleaned dataset but the first [N - 1] begin a window.

    They are of another sensor, or follow a gap over its limit [S], or readings that the user left out.
    """
    return np.asarray(~dataset.goes_on()[1:] | (np.diff(dataset.times_ms) > gap_limits_ms[dataset.codes[1:]]))
