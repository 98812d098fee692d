"""Tells which of its two meanings a local time has in the hour that comes twice when summer time ends."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Int32Array, Int64Array, Readings

#: A record is written at most this much before, by its clock, and this much after the reading, unless it was held up.
_EARLY_MS, _PROMPT_MS = 300_000, 1_800_000


def settle_times(newest_ms: Int64Array, slots: Int32Array, readings: Readings) -> None:
    """Set the readings' times, in place, to the meaning that the record's time tells, or else the order of the sensor.

    `newest_ms` has the newest time of each sensor, by slot.

    By order, the second meaning begins where a sensor's times go back by at least half of the repeated time. This is a fold
    over a sensor's readings in log order. Readings whose time comes once are left alone.
    """
    later = readings.later_ms
    if later is None or not later.any():
        return
    touched = np.isin(slots, slots[later > 0])
    newest = {slot: int(newest_ms[slot]) for slot in np.unique(slots[touched]).tolist()}
    for row in np.flatnonzero(touched).tolist():
        slot, time_ms = int(slots[row]), int(readings.times_ms[row])
        if later[row] > 0:
            stamp = -1 if readings.stamps_ms is None else int(readings.stamps_ms[row])
            time_ms += _delay(time_ms, int(later[row]), stamp, newest[slot])
            readings.times_ms[row] = time_ms
        newest[slot] = max(newest[slot], time_ms)


def _delay(time_ms: int, later_ms: int, stamp_ms: int, newest_ms: int) -> int:
    """Return 0 for the first meaning of a time, `later_ms` for the second."""
    after = stamp_ms - time_ms
    if -_EARLY_MS <= after <= later_ms + _PROMPT_MS:
        return later_ms if after >= later_ms - _EARLY_MS else 0
    return later_ms if newest_ms - time_ms >= later_ms // 2 else 0
