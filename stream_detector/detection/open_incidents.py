"""Which incidents a stream of events leaves open: for a store that has lost them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from stream_detector.detection.decision import CLOSED
from stream_detector.timestamps import to_ms


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident whose newest event did not close it."""

    sensor_id: str
    opened_offset: int  # of the reading that opened it
    opened_ms: int
    peak_score: float
    last_event_ms: int


class _Window(msgspec.Struct):
    topic: str
    partition: int
    last_offset: int


class _Incident(msgspec.Struct):
    opened_at: datetime
    opened_offset: int
    peak_score: float | None


class _Event(msgspec.Struct):
    status: str
    sensor_id: str
    timestamp: datetime
    window: _Window
    incident: _Incident


def open_incidents(values: Iterable[bytes | None], topic: str, partition: int, position: int) -> list[OpenIncident]:
    """Return what is open after the events of a partition's readings before a position, by sensor.

    Events are in the order of their topic. Values that are no events of this schema are passed over: others may write to
    the topic as well.
    """
    decode = msgspec.json.Decoder(_Event).decode
    newest: dict[str, _Event] = {}
    for value in values:
        try:
            event = decode(value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        window = event.window
        is_ours = window.topic == topic and window.partition == partition and window.last_offset < position
        if is_ours and (event.sensor_id not in newest or newest[event.sensor_id].window.last_offset <= window.last_offset):
            newest[event.sensor_id] = event
    return [_open(event) for event in newest.values() if event.status != CLOSED]


def _open(event: _Event) -> OpenIncident:
    return OpenIncident(
        sensor_id=event.sensor_id,
        opened_offset=event.incident.opened_offset,
        opened_ms=to_ms(event.incident.opened_at),
        peak_score=event.incident.peak_score or 0.0,
        last_event_ms=to_ms(event.timestamp),
    )
