"""Takes a sensor's last window out of its stored record, as the detector would score it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.lateness import Late
from stream_detector.state.lost_readings import with_lost_rows
from stream_detector.state.record_layout import Records, steps_of


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """The last window of one sensor, with a row for each reading that was lost in it. T rows, F features."""

    values: Float32Array  # [T, F] as windows hold them: of counters their rises per hour. NaN: missing
    times_ms: Int64Array  # [T] to within a thousandth of the window; arbitrary where there is no row
    is_row: BoolArray  # [T] within the window: False before its first reading
    rows: int  # stored rows of it that belong together
    newest: Float32Array  # [F] the last row


def stored_window(records: Records) -> StoredWindow:
    """Return the window of the only record [1] of a sensor that was read at least once."""
    appended = _as_appended(records)
    only = np.zeros(1, np.int64)
    rows = int(appended.rows[0])
    values = appended.timed_windows(only)[0]
    seconds = _seconds_before(appended, rows)
    is_row = ~np.isnan(seconds)
    times_ms = int(records["header"]["last_time_ms"][0]) - np.rint(1000.0 * np.where(is_row, seconds, 0.0)).astype(np.int64)
    return StoredWindow(values, times_ms, is_row, rows, appended.newest_values()[0])


def _as_appended(records: Records) -> Appended:
    """Return what appending the newest reading of the record [1] left."""
    header, ring = records["header"], records["rows"][0]
    length = len(ring)
    oldest_first = (int(header["count"][0]) + np.arange(length)) % length
    none = np.zeros(0, np.int64)
    one = np.zeros(1, np.int64)
    return Appended(
        reading=one,
        slot=one.astype(np.int32),
        rank=one,
        filled=header["filled"].astype(np.int32),
        count=header["count"].astype(np.int64),
        times_ms=header["last_time_ms"].astype(np.int64),
        interval_ms=header["interval_ms"],
        pause_ms=header["pause_ms"],
        window_start=one,
        extended_values=ring["values"][oldest_first],
        extended_steps=ring["step"][oldest_first],
        window_length=length,
        late=0,
        lateness=Late(none, none.astype(np.int32), none, none.astype(np.bool_)),
        restarted=0,
        jump_ms=one,
        clock_ms=header["clock_ms"].astype(np.int64),
    )


def _seconds_before(appended: Appended, rows: int) -> Float64Array:
    """Return how long before the newest row each row [T] of the timed window is; in lost rows, between those beside them."""
    codes = appended.extended_steps[np.newaxis]
    steps_ms = steps_of(codes)[0].astype(np.float64)
    after_ms = np.cumsum(steps_ms[::-1])[::-1] - steps_ms  # steps between a row and the newest
    seconds = (after_ms / 1000.0).astype(np.float32)
    seconds[: len(seconds) - rows] = np.nan
    timed = with_lost_rows(seconds[np.newaxis, :, np.newaxis], codes, np.array([rows]))[0, :, 0] if rows else seconds
    known = np.flatnonzero(~np.isnan(timed))
    if not len(known):
        return timed.astype(np.float64)
    between = np.interp(np.arange(len(timed)), known, timed[known])
    between[: known[0]] = np.nan
    return np.asarray(between, np.float64)
