"""A change of a rule's incident, as the rules report it, and the event that publishes it."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.detection.events import (
    IDLE_SENSOR,
    NOT_SCORED,
    OF_SILENCE,
    Event,
    EventFeature,
    EventIncident,
    EventModel,
    EventRules,
    EventWindow,
)
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.transition import (
    CLOCK,
    CLOSED,
    FELL_SILENT,
    FLAPPING,
    FROZEN,
    IDLE,
    MISSING_FEATURE,
    OUT_OF_RANGE,
    SILENT,
    Silence,
)
from stream_detector.places import place_name, place_of
from stream_detector.timestamps import iso_time

#: How urgent an incident of each type is.
_SEVERITIES = {
    FROZEN: "high",
    SILENT: "high",
    OUT_OF_RANGE: "high",
    MISSING_FEATURE: "medium",
    CLOCK: "medium",
    FLAPPING: "medium",
}


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A change of an incident of a rule. It holds all that its event needs, so it outlives the batch's arrays."""

    type: str
    status: str
    sensor_id: str
    reading: int  # position in the batch of the reading at which it changed
    partition: int
    offset: int  # of that reading
    time_ms: int  # event time of the change
    incident_offset: int
    opened_ms: int
    what: str  # a sentence for people
    features: tuple[EventFeature, ...] = ()
    reason: str = ""  # of closing
    sensor_state: str = ""
    start_ms: int = 0  # of the sensor's window
    length: int = 1  # readings in it
    calm: int = 0  # readings, this one included, to which the rule did not apply; its event does not have them


@dataclass(frozen=True, slots=True)
class Closing:
    """An open incident of a rule in a sensor that falls silent."""

    type: str
    sensor_id: str
    partition: int
    incident_offset: int
    opened_ms: int
    reading: int = -1  # position in the batch of the reading that ended the silence, if that is how it was noticed


def closed_by_silence(closing: Closing, silence: Silence) -> RuleChange:
    """Describe that a silence closes an incident of a rule."""
    return RuleChange(
        type=closing.type,
        status=CLOSED,
        sensor_id=closing.sensor_id,
        reading=closing.reading,
        partition=closing.partition,
        offset=silence.offset,
        time_ms=silence.due_ms,
        incident_offset=closing.incident_offset,
        opened_ms=closing.opened_ms,
        what="The sensor fell silent",
        reason=FELL_SILENT,
        sensor_state=OF_SILENCE,
        start_ms=silence.time_ms,
    )


def closed_by_idle(closing: Closing, offset: int, time_ms: int) -> RuleChange:
    """Describe that an incident of a rule closes at an idle reading, with this offset and event time."""
    return RuleChange(
        type=closing.type,
        status=CLOSED,
        sensor_id=closing.sensor_id,
        reading=closing.reading,
        partition=closing.partition,
        offset=offset,
        time_ms=time_ms,
        incident_offset=closing.incident_offset,
        opened_ms=closing.opened_ms,
        what="The machine is idle: it is outside of the state that the model learned in",
        reason=IDLE,
        sensor_state=IDLE_SENSOR,
        start_ms=time_ms,
    )


def build_rule_event(change: RuleChange, topic: str, model: ModelSpec, rules: EventRules) -> Event:
    """Build the event of a change. It has no score, so what explains a score is empty."""
    newest, opened = place_of(change.offset), place_of(change.incident_offset)
    return Event(
        event_id=f"{place_name(topic, change.partition, change.offset)}-{change.type}-{model.version}-{change.status}",
        type=change.type,
        status=change.status,
        incident_id=f"{place_name(topic, change.partition, change.incident_offset)}-{change.type}",
        what=change.what,
        sensor_id=change.sensor_id,
        timestamp=iso_time(change.time_ms),
        severity=_SEVERITIES.get(change.type, "medium"),
        sensor_state=change.sensor_state,
        model=EventModel(model.name, model.version),
        rules=rules,
        window=EventWindow(
            topic=topic,
            partition=change.partition,
            last_offset=newest.offset,
            last_index=newest.index,
            start=iso_time(change.start_ms),
            end=iso_time(change.time_ms),
            length=change.length,
        ),
        attention_reason=NOT_SCORED,
        features=change.features,
        incident=EventIncident(
            opened_at=iso_time(change.opened_ms),
            opened_offset=opened.offset,
            opened_index=opened.index,
            reason=change.reason,
        ),
    )
