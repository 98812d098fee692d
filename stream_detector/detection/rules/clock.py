"""The events of clocks that jump: a sensor dates its readings apart from what it did before, and is right again."""

from __future__ import annotations

import numpy as np

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.transition import CLOCK, CLOSED, OPENED
from stream_detector.readings import Readings
from stream_detector.state.record_layout import NO_INCIDENT, Records
from stream_detector.state.windows import Appended
from stream_detector.timestamps import duration

#: The reason of closing.
RIGHT_AGAIN = "clock_right"


def clock_changes(records: Records, readings: Readings, appended: Appended) -> tuple[RuleChange, ...]:
    """Open and close the incidents of clocks that jumped in a batch, in the sensors' records, in place; return the changes."""
    changes = []
    for at in np.flatnonzero(appended.jump_ms).tolist():
        incident = records["rules"]["clock"][appended.slot[at]]
        ahead_ms, is_open = int(appended.clock_ms[at]), bool(incident["offset"] != NO_INCIDENT)
        if is_open == (ahead_ms != 0):
            continue
        reading = int(appended.reading[at])
        offset, time_ms = int(readings.offsets[reading]), int(readings.times_ms[reading])
        opened = (int(incident["offset"]), int(incident["time_ms"])) if is_open else (offset, time_ms)
        changes.append(_change(readings, reading, opened, ahead_ms, int(appended.jump_ms[at])))
        state = records["rules"]["clock"]
        state["offset"][appended.slot[at]], state["time_ms"][appended.slot[at]] = (NO_INCIDENT, 0) if is_open else opened
    return tuple(changes)


def _change(readings: Readings, reading: int, opened: tuple[int, int], ahead_ms: int, jump_ms: int) -> RuleChange:
    """Describe an incident that opened at (offset, event time) and changes at a reading of a batch."""
    sensor_id, time_ms = readings.sensors[reading], int(readings.times_ms[reading])
    side = "ahead of" if ahead_ms > 0 else "behind"
    has_stamps = readings.stamps_ms is not None and int(readings.stamps_ms[reading]) >= 0
    off, by = duration(abs(ahead_ms) / 1000.0), duration(abs(jump_ms) / 1000.0)
    what = f"The clock of {sensor_id} is {off} {side} {'its records' if has_stamps else 'what it was'}"
    if not ahead_ms:
        what = f"The clock of {sensor_id} is right again: it went {'on' if jump_ms > 0 else 'back'} by {by}"
    return RuleChange(
        type=CLOCK,
        status=OPENED if ahead_ms else CLOSED,
        sensor_id=sensor_id,
        reading=reading,
        partition=int(readings.partitions[reading]),
        offset=int(readings.offsets[reading]),
        time_ms=time_ms,
        incident_offset=opened[0],
        opened_ms=opened[1],
        what=what,
        reason="" if ahead_ms else RIGHT_AGAIN,
        start_ms=time_ms,
    )
