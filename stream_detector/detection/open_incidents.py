"""Finds the incidents that a stream of events leaves open, and restores them when the store has lost them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.events import Event, event_time_ms, read_event
from stream_detector.detection.severity import least_ratio
from stream_detector.detection.transition import ANOMALY, CLOSED, FROZEN, MISSING_FEATURE, SILENT
from stream_detector.places import places_of
from stream_detector.state.arena import Arena
from stream_detector.state.record_layout import (
    FOUND_GONE,
    FOUND_ROW,
    FOUND_STILL,
    KEPT_TYPES,
    MAXIMUM_RUN,
    RULE_TYPES,
    Records,
)

_KEPT_TYPES = frozenset({ANOMALY, *RULE_TYPES})


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident whose newest event did not close it."""

    sensor_id: str
    opened_offset: int  # place of the reading that opened it
    opened_ms: int
    peak_score: float
    last_event_ms: int
    peak_ratio: float = 0.0  # the least of its worst severity
    type: str = ANOMALY
    features: tuple[tuple[str, int], ...] = ()  # of a rule: the features that it is about, and for how many readings


def open_incidents(values: Iterable[bytes | None], topic: str, partition: int, position: int) -> list[OpenIncident]:
    """Return a partition's open incidents according to the events of its readings before a position: per sensor one of a type.

    Events must be in the order of their topic. Values that are not events of an incident are skipped, because others may
    write to the topic too.
    """
    newest: dict[tuple[str, str], Event] = {}
    for value in values:
        try:
            event = read_event(value or b"")
        except ValueError:
            continue
        window = event.window
        is_ours = window.topic == topic and window.partition == partition and 0 <= window.last_offset < position
        is_complete = event.status and event.incident.opened_at and event.incident.opened_offset >= 0
        key = event.sensor_id, event.type
        if not (is_ours and is_complete and event.type in _KEPT_TYPES):
            continue
        if key not in newest or newest[key].window.last_offset <= window.last_offset:
            newest[key] = event
    return [_open_incident(event) for event in newest.values() if event.status != CLOSED]


def _open_incident(event: Event) -> OpenIncident:
    return OpenIncident(
        sensor_id=event.sensor_id,
        opened_offset=places_of(event.incident.opened_offset, event.incident.opened_index),
        opened_ms=event_time_ms(event.incident.opened_at),
        peak_score=event.incident.peak_score or 0.0,
        last_event_ms=event_time_ms(event.timestamp),
        peak_ratio=least_ratio(event.incident.peak_severity or event.severity),
        type=event.type,
        features=tuple([(feature.name, feature.readings or 0) for feature in event.features if event.type != ANOMALY]),
    )


def write_incident(arena: Arena, slot: int, incident: OpenIncident, features: Sequence[str]) -> None:
    """Write an open incident into the record of its sensor, in place. `features` [F] are the names of the columns."""
    header = arena.records["header"]
    if incident.type == ANOMALY:
        _write_anomaly(header, slot, incident)
        return
    if incident.type == SILENT:
        _write_silence(header, slot, incident)
        return
    slots = np.array([slot], np.int32)
    state = arena.rules.read(slots)
    state["incidents"][incident.type]["offset"] = incident.opened_offset
    state["incidents"][incident.type]["time_ms"] = incident.opened_ms
    runs = {FROZEN: arena.records["unchanged"][slot], MISSING_FEATURE: state["absent"][0]}.get(incident.type)
    read = int(header["count"][slot])  # since the log was read again
    bit = 1 << KEPT_TYPES.index(incident.type)
    state["involved"][0, 0] |= bit * (not incident.features)
    is_row = incident.type == FROZEN and len(incident.features) == len(features) > 1
    found = {FROZEN: FOUND_ROW if is_row else FOUND_STILL, MISSING_FEATURE: FOUND_GONE}.get(incident.type, 0)
    for name, readings in incident.features:
        if name in features:
            at = features.index(name)
            state["involved"][0, at] |= bit
            if runs is not None and runs[at] >= read - 1:  # it has lasted all this time, so it began before
                runs[at] = min(max(int(runs[at]), readings), MAXIMUM_RUN)
                state["involved"][0, at] |= found
    arena.rules.write(slots, state)


def _write_silence(header: Records, position: int, incident: OpenIncident) -> None:
    """Let a sensor have been heard before everything, so that it counts as announced."""
    header["heard"][position] = 0
    header["last_offset"][position] = incident.opened_offset
    if header["last_time_ms"][position] < 0:
        header["last_time_ms"][position] = incident.opened_ms


def _write_anomaly(header: Records, position: int, incident: OpenIncident) -> None:
    header["incident_offset"][position] = incident.opened_offset
    header["incident_time_ms"][position] = incident.opened_ms
    header["incident_peak"][position] = incident.peak_score
    header["incident_ratio"][position] = incident.peak_ratio
    header["last_anomalous_ms"][position] = header["last_update_ms"][position] = incident.last_event_ms
