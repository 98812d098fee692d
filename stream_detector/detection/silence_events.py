"""The events of silences: a sensor falls silent, which closes its other incidents, and speaks again.

The event that begins a silence is a function of the sensor's last reading before it. So it is the same whether the detector
announced the silence while it lasted, or noticed it when the sensor spoke again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.amounts import rounded
from stream_detector.detection.events import (
    IDLE_SENSOR,
    NOT_SCORED,
    OF_SILENCE,
    Event,
    EventIncident,
    EventModel,
    EventRules,
    EventWindow,
)
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.severity import severity_of
from stream_detector.detection.silence_watch import Returns
from stream_detector.detection.transition import (
    ANOMALY,
    CLOSED,
    FELL_SILENT,
    IDLE,
    OPENED,
    RETURNED,
    SILENT,
    Silence,
    Transition,
)
from stream_detector.places import place_name, place_of
from stream_detector.readings import Readings
from stream_detector.state.appended import Appended
from stream_detector.timestamps import duration, iso_time, shown_time


@dataclass(frozen=True, slots=True)
class SensorPlace:
    """A sensor and the partition of the input topic that its readings are in."""

    sensor_id: str
    topic: str
    partition: int


def opened_change(sensor_id: str, partition: int, silence: Silence, reading: int = -1) -> RuleChange:
    """Describe that a sensor fell silent; `reading` is the position in the batch of the reading that ended it."""
    return RuleChange(
        type=SILENT,
        status=OPENED,
        sensor_id=sensor_id,
        reading=reading,
        partition=partition,
        offset=silence.offset,
        time_ms=silence.due_ms,
        incident_offset=silence.offset,
        opened_ms=silence.due_ms,
        what=_told(silence),
        sensor_state=OF_SILENCE,
        start_ms=silence.time_ms,
    )


def _told(silence: Silence) -> str:
    if silence.died_ms < 0:
        return f"No new reading for {duration(silence.limit_s)}, longer than this sensor usually pauses"
    if silence.died_by == "NDEATH":
        return "Its node is offline: the broker sent the node's Last Will (NDEATH)"
    return "It is offline: its node said so (DDEATH)"


def closed_change(readings: Readings, reading: int, silence: Silence) -> RuleChange:
    """Describe that a sensor speaks again, at a reading with this position in the batch.

    An assembled reading may be of before the silence, and complete only now: the message that completed it ends the silence.
    A silence does not end before it began.
    """
    told_ms = readings.times_ms if readings.told_ms is None else np.maximum(readings.times_ms, readings.told_ms)
    time_ms = max(int(told_ms[reading]), silence.due_ms)
    return RuleChange(
        type=SILENT,
        status=CLOSED,
        sensor_id=readings.sensors[reading],
        reading=reading,
        partition=int(readings.partitions[reading]),
        offset=int(readings.places[reading]),
        time_ms=time_ms,
        incident_offset=silence.offset,
        opened_ms=silence.due_ms,
        what=f"It speaks again; its last reading before was at {shown_time(silence.time_ms)}",
        reason=RETURNED,
        sensor_state=OF_SILENCE,
        start_ms=time_ms,
    )


def silence_changes(readings: Readings, appended: Appended, returns: Returns | None) -> tuple[RuleChange, ...]:
    """Describe the silences that a batch ends: each opened, unless it was announced, and closed."""
    if returns is None:
        return ()
    changes = []
    for position in np.flatnonzero(returns.is_return).tolist():
        reading, silence = int(appended.reading[position]), returns.silence(position)
        sensor_id, partition = readings.sensors[reading], int(readings.partitions[reading])
        if not returns.is_announced[position]:
            changes.append(opened_change(sensor_id, partition, silence, reading))
        changes.append(closed_change(readings, reading, silence))
    return tuple(changes)


def begins_silence(event: Event) -> bool:
    """Return whether an event is about the beginning of a silence: it says that a sensor fell silent, or closes for that."""
    return event.incident.reason == FELL_SILENT or (event.type == SILENT and event.status == OPENED)


def closing_event(
    at: SensorPlace, transition: Transition, model: ModelSpec, rules: EventRules, idle: tuple[int, int] | None = None
) -> Event:
    """Build the event of an incident of the score that closes because its sensor fell silent, or is idle.

    `idle` are the offset and the event time of the first idle reading.
    """
    silence = transition.silence
    if idle is not None:
        offset, start_ms, end_ms, state, reason = *idle, idle[1], IDLE_SENSOR, IDLE
    else:
        assert silence is not None
        offset, start_ms, end_ms = silence.offset, silence.time_ms, silence.due_ms
        state, reason = OF_SILENCE, FELL_SILENT
    newest, opened = place_of(offset), place_of(transition.incident_offset)
    return Event(
        event_id=f"{place_name(at.topic, at.partition, offset)}-{model.version}-{CLOSED}",
        type=ANOMALY,
        status=CLOSED,
        incident_id=place_name(at.topic, at.partition, transition.incident_offset),
        sensor_id=at.sensor_id,
        timestamp=iso_time(end_ms),
        severity=severity_of(transition.peak_ratio),
        sensor_state=state,
        model=EventModel(model.name, model.version),
        rules=rules,
        window=EventWindow(
            topic=at.topic,
            partition=at.partition,
            last_offset=newest.offset,
            last_index=newest.index,
            start=iso_time(start_ms),
            end=iso_time(end_ms),
            length=1,
        ),
        attention_reason=NOT_SCORED,
        incident=EventIncident(
            opened_at=iso_time(transition.opened_ms),
            opened_offset=opened.offset,
            opened_index=opened.index,
            peak_score=rounded(transition.peak_score),
            peak_severity=severity_of(transition.peak_ratio),
            reason=reason,
        ),
    )
