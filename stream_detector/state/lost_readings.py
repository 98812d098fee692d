"""Gives the readings that a window lost a row each, so that equal steps between its rows are equal times.

Between a sensor and the detector readings get lost: a network stumbles, a producer restarts. The window goes on (pace.py), but
its values before and after are not one reading apart, and a member that takes them for neighbours sees a jump. So the window
that is scored has a row without values for each lost reading, and its oldest rows drop out.

How many were lost follows from the window's own steps, so no state is needed, and what counts is what this sensor does:

- A sensor is read at an even pace if the step that USUAL_SHARE of the window's steps do not exceed is less than EVEN_RATIO
  times their median. One that reports when something changed, or every fifth of whose readings gets lost, has none: that is its
  pace.
- A step is a pause beyond LOST_RATIO times that usual step. A single lost reading is none.
- So many readings were lost as the window's median step fits into it, but for the one that came.
- At most MOST_LOST_SHARE of a window's rows are lost ones, the newest first: what is left must show what is usual.
"""

from __future__ import annotations

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.state.record_layout import UInt16Array, step_codes, steps_of

LOST_RATIO, EVEN_RATIO = 2.0, 1.5
USUAL_SHARE = 7 / 8
MOST_LOST_SHARE = 0.5
#: Fewer steps between rows do not tell what is usual.
FEWEST_STEPS = 7


def with_lost_rows(windows: Float32Array, codes: UInt16Array, rows: Int64Array | None = None) -> Float32Array:
    """Return windows [K, T, F] with rows of NaN for the readings that were lost in them; the given ones if none was.

    `codes` [K, T]: of the times since the row before; a window's first one is not read. Only the newest `rows` [K] of a window
    are there (None: all).
    """
    if rows is not None:
        return _partial_with_lost_rows(windows, codes, rows)
    some = np.flatnonzero(_may_have_lost(codes[:, 1:]))
    if not len(some):
        return windows
    lost = lost_before(steps_of(codes[some]))
    any_lost = lost.any(axis=1)
    some, lost = some[any_lost], lost[any_lost]
    if not len(some):
        return windows
    length = windows.shape[1]
    row = np.arange(length) - (np.cumsum(lost[:, ::-1], axis=1)[:, ::-1] - lost)  # lost ones after it push a row back
    kept = row >= 0
    result = windows.copy()
    result[some] = np.nan
    window = np.broadcast_to(some[:, np.newaxis], row.shape)
    result[window[kept], row[kept]] = windows[some][kept]
    return result


def _partial_with_lost_rows(windows: Float32Array, codes: UInt16Array, rows: Int64Array) -> Float32Array:
    """Do it for windows of which only the newest `rows` [K] are there: those with as many rows at a time."""
    result = windows.copy()
    for count in np.unique(rows).tolist():
        same = np.flatnonzero(rows == count)
        found = with_lost_rows(windows[same][:, -count:], codes[same][:, -count:])
        result[same, -count:] = found
    return result


def timed(windows: Float32Array, times_ms: Int64Array) -> Float32Array:
    """Return windows [K, T, F] of readings at these times [K, T] as the stream scores them."""
    before_ms = np.concatenate([times_ms[:, :1], times_ms[:, :-1]], axis=1)
    return with_lost_rows(windows, step_codes(before_ms, times_ms))


def lost_before(steps_ms: Int64Array) -> Int64Array:
    """Return how many readings were lost before each row of windows, by the times since the row before [K, T], T > 1."""
    count, length = steps_ms.shape
    lost = np.zeros((count, length), np.int64)
    ordered = np.sort(steps_ms[:, 1:], axis=1)
    median = np.maximum(ordered[:, (length - 2) // 2], 1)[:, np.newaxis]
    usual = ordered[:, int(USUAL_SHARE * (length - 2))][:, np.newaxis]
    readings = (steps_ms[:, 1:] + median // 2) // median
    is_pause = (steps_ms[:, 1:] > LOST_RATIO * usual) & (usual < EVEN_RATIO * median)
    lost[:, 1:] = np.where(is_pause, np.maximum(readings - 1, 0), 0)
    after = np.cumsum(lost[:, ::-1], axis=1)[:, ::-1] - lost
    return np.asarray(np.clip(int(MOST_LOST_SHARE * length) - after, 0, lost))


def _may_have_lost(codes: UInt16Array) -> BoolArray:
    """Return in which windows the longest step is LOST_RATIO times the shortest. Codes rise with the times they stand for."""
    if codes.shape[1] < FEWEST_STEPS:
        return np.zeros(len(codes), np.bool_)
    return np.asarray(steps_of(codes.max(axis=1)) > LOST_RATIO * steps_of(codes.min(axis=1)))
