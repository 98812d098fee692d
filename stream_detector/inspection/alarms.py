"""Sums up the newest events of the alerts topic: how many alarms there were, and which incidents are open and what about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stream_detector.alert_view import amounts_of
from stream_detector.detection.event_words import limit_in_words, state_in_words
from stream_detector.detection.events import Event, event_time_ms, read_event
from stream_detector.detection.model_spec import tag_of
from stream_detector.detection.transition import ANOMALY, CLOSED, OPENED
from stream_detector.inspection.closing import Closing
from stream_detector.inspection.sensors import OpenType, SensorStatus
from stream_detector.readings import Record
from stream_detector.timestamps import SECONDS_PER_DAY

_DAY_MS = round(1000 * SECONDS_PER_DAY)


@dataclass(frozen=True, slots=True)
class NewestRecords:
    """The newest records of a topic, oldest first in each partition."""

    records: Sequence[Record]
    is_cut: bool  # the topic has older ones
    exists: bool = True

    def goes_back_to(self, time_ms: int) -> bool:
        """Return whether all records since a time are here."""
        return not self.is_cut or any(record.timestamp < time_ms for record in self.records)


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An open incident, in words."""

    sensor: str
    type: str
    since_ms: int  # event time of the reading that opened it
    severity: str  # empty: not known
    about: str
    incident_id: str = ""
    closing: Closing | None = None  # what it waits for; None: not known


@dataclass(frozen=True, slots=True)
class Alarms:
    """The alarms of the last day, by when they were published, and what is open."""

    anomalies: int  # incidents of the score that opened; the budget counts these
    of_rules: int
    is_complete: bool  # False: the day had more events than were read
    open: tuple[OpenIncident, ...]  # the newest first
    models: Mapping[int, str] = field(default_factory=dict)  # names and versions of the models of events, by their tags


def alarms_of(newest: NewestRecords, input_topic: str, now_ms: int) -> Alarms:
    """Sum up events about one input topic. Records that are not events are left out: others may write to the topic too."""
    since_ms, opened = now_ms - _DAY_MS, [0, 0]
    last: dict[str, Event] = {}
    models: dict[int, str] = {}
    for record in newest.records:
        event = _event(record, input_topic)
        if event is None:
            continue
        if event.status == OPENED and record.timestamp >= since_ms:
            opened[event.type != ANOMALY] += 1
        models[tag_of(event.model.version)] = f"{event.model.name} {event.model.version}"
        last.pop(event.incident_id, None)
        last[event.incident_id] = event
    open_now = [_open(event) for event in last.values() if event.status != CLOSED]
    return Alarms(
        anomalies=opened[0],
        of_rules=opened[1],
        is_complete=newest.goes_back_to(since_ms),
        open=tuple(sorted(open_now, key=lambda one: (-one.since_ms, one.sensor, one.type))),
        models=models,
    )


def with_stored(alarms: Alarms, sensors: Iterable[SensorStatus]) -> tuple[OpenIncident, ...]:
    """Return the open incidents, and those of sensors' records that opened before the events that were read."""
    stored = {(one.sensor, kind.type): kind for one in sensors for kind in one.incidents}
    known = [_as_stored(one, stored.get((one.sensor, one.type))) for one in alarms.open]
    named = {(one.sensor, one.type) for one in known}
    older = [
        OpenIncident(sensor, kind, one.since_ms, "", "its events are older than those that were read", closing=one.closing)
        for (sensor, kind), one in stored.items()
        if (sensor, kind) not in named
    ]
    return tuple(sorted((*known, *older), key=lambda one: (-one.since_ms, one.sensor, one.type)))


def _as_stored(one: OpenIncident, stored: OpenType | None) -> OpenIncident:
    return one if stored is None else replace(one, closing=stored.closing)


def about(event: Event) -> str:
    """Say in a line what an event is about: the rule's sentence, or the feature that is off most."""
    if event.what:
        return event.what
    parts = []
    if event.features:
        first = event.features[0]
        parts.append(f"{first.name} {amounts_of(first)}, {100.0 * min(max(first.share or 0.0, 0.0), 1.0):.0f} % of the score")
    state, limit = state_in_words(event.sensor_state), limit_in_words(event.margin_factor)
    return "; ".join([*parts, *filter(None, (state, limit))]) or "not scored"


def _event(record: Record, input_topic: str) -> Event | None:
    try:
        event = read_event(record.value or b"")
    except ValueError:
        return None
    is_ours = event.window.topic in ("", input_topic) and event.incident_id and event.status
    return event if is_ours else None


def _open(event: Event) -> OpenIncident:
    opened_at = event.incident.opened_at or event.timestamp
    severity = event.incident.peak_severity or event.severity
    return OpenIncident(event.sensor_id, event.type, event_time_ms(opened_at), severity, about(event), event.incident_id)
