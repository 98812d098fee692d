"""The fields of a sensor's header that describe its open incident of the score: set, moved and cleared."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import BoolArray, Int64Array
from stream_detector.state.record_layout import NO_INCIDENT, Records


def open_incident(state: Records, which: BoolArray, places: Int64Array, times_ms: Int64Array) -> None:
    """Open incidents for these sensors [N], in place."""
    for name, values in (
        ("incident_offset", places),
        ("incident_time_ms", times_ms),
        ("last_update_ms", times_ms),
    ):
        state[name][which] = values[which]


def follow_clock(state: Records, jump_ms: Int64Array) -> None:
    """Move the times of incidents with their sensors' clocks [G], in place, so that they last as long as they do."""
    for at in np.flatnonzero(jump_ms).tolist():
        if state["incident_offset"][at] != NO_INCIDENT:
            for name in ("incident_time_ms", "last_anomalous_ms", "last_update_ms"):
                state[name][at] += jump_ms[at]


def clear_incident(state: Records, which: BoolArray) -> None:
    """Clear the incidents of these sensors [N], in place; a record without one is stored smaller."""
    state["incident_offset"][which] = NO_INCIDENT
    for name in ("incident_time_ms", "incident_peak", "incident_ratio", "last_anomalous_ms", "last_update_ms", "sustained"):
        state[name][which] = 0
