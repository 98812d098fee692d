"""The event about the input as a whole: nothing arrives any more, and readings are back."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.detection.events import (
    NOT_SCORED,
    OF_SILENCE,
    Event,
    EventIncident,
    EventModel,
    EventRules,
    EventWindow,
)
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.transition import CLOSED, INPUT_SILENT, OPENED, RETURNED
from stream_detector.timestamps import iso_time, shown_time

#: The partition whose owner tells of the input, and the sensor id of such an event: no sensor has an empty one.
PARTITION, NO_SENSOR = 0, ""


@dataclass(frozen=True, slots=True)
class InputSilence:
    """A silence of the whole input."""

    position: int  # of PARTITION
    total: int  # sum of the ends of all partitions: grows with every record
    newest_ms: int  # event time of the newest reading before it
    opened_ms: int


def input_event(silence: InputSilence, topic: str, model: ModelSpec, rules: EventRules, *, back_ms: int | None) -> Event:
    """Build the event that opens a silence of the input, or closes it if readings are back, at an event time."""
    place = f"{topic}-{PARTITION}-{silence.position}-{silence.total}-{INPUT_SILENT}"
    status, time_ms = (OPENED, silence.opened_ms) if back_ms is None else (CLOSED, back_ms)
    since = shown_time(silence.newest_ms)
    return Event(
        event_id=f"{place}-{model.version}-{status}",
        type=INPUT_SILENT,
        status=status,
        incident_id=place,
        what=f"No reading of any sensor since {since}"
        if back_ms is None
        else f"Readings arrive again; the last was of {since}",
        sensor_id=NO_SENSOR,
        timestamp=iso_time(time_ms),
        severity="critical",
        sensor_state=OF_SILENCE,
        model=EventModel(model.name, model.version),
        rules=rules,
        window=EventWindow(topic, PARTITION, silence.position - 1, iso_time(silence.newest_ms), iso_time(time_ms), 1),
        attention_reason=NOT_SCORED,
        incident=EventIncident(
            opened_at=iso_time(silence.opened_ms),
            opened_offset=silence.position,
            reason="" if back_ms is None else RETURNED,
        ),
    )
