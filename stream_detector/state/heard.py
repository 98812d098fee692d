"""Remembers when each sensor was last heard, on the clock of its partition: a pure fold over the partition's log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Int32Array, Int64Array
from stream_detector.state.record_layout import Records


@dataclass(frozen=True, slots=True)
class Heard:
    """When each of M accepted readings was heard, and its sensor before it. Seconds of the partition's active time."""

    second: Int64Array  # [M]
    is_first: BoolArray  # [M] the sensor was never heard before: the arrays below are arbitrary
    before: Int64Array  # [M]
    before_offset: Int64Array  # [M]
    before_time_ms: Int64Array  # [M]


@dataclass(frozen=True, slots=True)
class HeardReadings:
    """Accepted readings [M], grouped by sensor and in log order within one."""

    slot: Int32Array
    rank: Int64Array  # 0, 1, 2... within the sensor
    second: Int64Array
    places: Int64Array
    times_ms: Int64Array
    last_time_ms: Int64Array  # of the sensor's newest reading before this batch


def hear(header: Records, readings: HeardReadings) -> Heard:
    """Write when the readings' sensors were last heard into their headers, in place."""
    slot, starts = readings.slot, readings.rank == 0
    before, before_offset, before_time_ms = (
        np.where(starts, old, np.concatenate([new[:1], new[:-1]]))
        for old, new in (
            (header["heard"][slot].astype(np.int64), readings.second),
            (header["last_offset"][slot], readings.places),
            (readings.last_time_ms, readings.times_ms),
        )
    )
    ends = np.ones(len(slot), np.bool_)
    ends[:-1] = starts[1:]
    header["heard"][slot[ends]] = readings.second[ends]
    header["last_offset"][slot[ends]] = readings.places[ends]
    return Heard(readings.second, before_offset < 0, before, before_offset, before_time_ms)
