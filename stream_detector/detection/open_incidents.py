"""Finds the incidents that a stream of events leaves open, and restores them when the store has lost them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stream_detector.detection.events import Event, event_time_ms, read_event
from stream_detector.detection.transition import CLOSED
from stream_detector.state.record_layout import Records


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident whose newest event did not close it."""

    sensor_id: str
    opened_offset: int  # of the reading that opened it
    opened_ms: int
    peak_score: float
    last_event_ms: int


def open_incidents(values: Iterable[bytes | None], topic: str, partition: int, position: int) -> list[OpenIncident]:
    """Return a partition's open incidents, at most one per sensor, according to the events of its readings before a position.

    Events must be in the order of their topic. Values that are not events of an incident are skipped, because others may
    write to the topic too.
    """
    newest: dict[str, Event] = {}
    for value in values:
        try:
            event = read_event(value or b"")
        except ValueError:
            continue
        window = event.window
        is_ours = window.topic == topic and window.partition == partition and 0 <= window.last_offset < position
        is_complete = event.status and event.incident.opened_at and event.incident.opened_offset >= 0
        if not (is_ours and is_complete):
            continue
        if event.sensor_id not in newest or newest[event.sensor_id].window.last_offset <= window.last_offset:
            newest[event.sensor_id] = event
    return [_open_incident(event) for event in newest.values() if event.status != CLOSED]


def _open_incident(event: Event) -> OpenIncident:
    return OpenIncident(
        sensor_id=event.sensor_id,
        opened_offset=event.incident.opened_offset,
        opened_ms=event_time_ms(event.incident.opened_at),
        peak_score=event.incident.peak_score or 0.0,
        last_event_ms=event_time_ms(event.timestamp),
    )


def write_incident(header: Records, position: int, incident: OpenIncident) -> None:
    """Write an open incident into the header of its sensor, in place."""
    header["incident_offset"][position] = incident.opened_offset
    header["incident_time_ms"][position] = incident.opened_ms
    header["incident_peak"][position] = incident.peak_score
    header["last_anomalous_ms"][position] = header["last_update_ms"][position] = incident.last_event_ms
