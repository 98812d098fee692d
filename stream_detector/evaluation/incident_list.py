"""Lists the incidents of a scored file as an operator counts them, from the events that the stream would publish.

With the file's rows, a line tells of the whole incident: for how long a value stood still, when the last anomalous reading was.

A line names the feature that was blamed most when the incident opened, and the farthest that it was off in that direction at
any of the incident's events, and when; then the feature that was blamed most when the incident became more severe, if it is
another, and when.
The event with the highest score tells less: a window is often most surprising when a fault ends, and by then the value is back
while the model expects the fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo

from stream_detector.alert_view import amounts_of
from stream_detector.detection.event_words import LASTING_BELOW, is_accepted, limit_in_words, state_in_words
from stream_detector.detection.events import Event, EventFeature, event_time_ms, read_event
from stream_detector.detection.rules.findings import AGO
from stream_detector.detection.severity import least_ratio
from stream_detector.detection.transition import ANOMALY, CLOSED, OPENED
from stream_detector.evaluation.adaptation import adaptation_notes
from stream_detector.evaluation.incident_past import FileRows, Stretch, in_past
from stream_detector.readings import Message
from stream_detector.timestamps import duration, shown_time

#: How many incidents are listed.
LISTED = 100
_NAME_CHARACTERS = 40


@dataclass(slots=True)
class FoundIncident:
    """One incident, as its events tell it."""

    sensor_id: str
    type: str
    opened_at: str
    closed_at: str = ""  # empty: still open at the end
    severity: str = ""
    opened_row: int = -1
    closed_row: int | None = None
    is_accepted: bool = False  # it closed as the new normal
    sensor_state: str = ""  # at the opening
    margin_factor: float | None = None  # at the opening
    features: tuple[str, ...] = ()  # that the incident is about, as of its newest event
    what: str = ""  # the newest sentence of a rule on what is wrong; empty in an anomaly
    off: EventFeature | None = None  # what was blamed most at the opening, where it was farthest off in that direction
    off_at: str = ""  # time of that event
    told_ratio: float = 0.0  # the least ratio of score to threshold of the worst severity that an event had
    then: EventFeature | None = None  # what was blamed most when the severity rose, if something else
    then_at: str = ""

    def see(self, event: Event) -> None:
        """Take in an event of the incident while it is open."""
        self.severity = event.incident.peak_severity or event.severity or self.severity
        self._see_rise(event)
        if not event.what.endswith(f" {AGO}"):
            self.what = event.what or self.what
        if self.off is None:
            self.off, self.off_at = event.features[0] if event.features else None, event.timestamp
            return
        for feature in event.features:
            if feature.name == self.off.name and _is_farther(feature, self.off):
                self.off, self.off_at = feature, event.timestamp

    def _see_rise(self, event: Event) -> None:
        ratio = least_ratio(event.severity)
        if self.off is not None and ratio > self.told_ratio and event.features and event.features[0].name != self.off.name:
            self.then, self.then_at = event.features[0], event.timestamp
        self.told_ratio = max(self.told_ratio, ratio)

    @property
    def stretch(self) -> Stretch:
        """Where the incident lies in the file."""
        return Stretch(self.sensor_id, self.type, self.opened_row, self.closed_row, self.features)


@dataclass(slots=True)
class IncidentList:
    """All incidents of a file."""

    found: list[FoundIncident] = field(default_factory=list)
    _open: dict[str, FoundIncident] = field(default_factory=dict)

    def add(self, messages: Iterable[Message]) -> None:
        """Take the events of a batch."""
        for message in messages:
            self._take(read_event(message.value or b""))

    def lines(self, rows: FileRows | None = None, zone: tzinfo | None = None) -> list[str]:
        """Return how many there are, and a line for each, or for the most severe, in the order in which they opened.

        `rows` are those of the file, of which the offsets in the events are the numbers. Times are UTC without `zone`.
        """
        if not self.found:
            return ["no incident"]
        sensors = len({one.sensor_id for one in self.found})
        types = Counter(one.type for one in self.found)
        kinds = ", ".join(f"{count} {kind}" for kind, count in types.most_common())
        kinds = "" if list(types) == [ANOMALY] else f" ({kinds})"
        counted = f"{_counted(len(self.found), 'incident')}{kinds} in {_counted(sensors, 'sensor')}:"
        more = len(self.found) - LISTED
        notes = adaptation_notes(rows.dataset, rows.scored) if rows is not None else []  # those not listed included
        rest = [f"  and {more:,} more, no more severe", *(f"  {note}" for note in notes)] if more > 0 else []
        return [counted, *[_line(one, rows, zone) for one in self._most_severe()], *rest]

    def _most_severe(self) -> list[FoundIncident]:
        """Return the incidents to list: of equal severity, those of the score first, because they are rarer."""
        ranks = [(-least_ratio(one.severity), one.type != ANOMALY, at) for at, one in enumerate(self.found)]
        listed = [self.found[at] for at in sorted(at for *_, at in sorted(ranks)[:LISTED])]
        return sorted(listed, key=lambda one: event_time_ms(one.opened_at))

    def _take(self, event: Event) -> None:
        if event.status == OPENED:
            row = event.incident.opened_offset
            incident = FoundIncident(event.sensor_id, event.type, event.timestamp, opened_row=row)
            incident.sensor_state, incident.margin_factor = event.sensor_state, event.margin_factor
            self.found.append(incident)
            self._open[event.incident_id] = incident
        found = self._open.get(event.incident_id)
        if found is None:
            return
        found.features = tuple([one.name for one in event.features]) or found.features
        if event.status == CLOSED:
            found.closed_row, found.is_accepted = event.window.last_offset, is_accepted(event)
            found.closed_at, found.severity = event.timestamp, event.severity or found.severity
            del self._open[event.incident_id]
        else:
            found.see(event)


def _is_farther(feature: EventFeature, other: EventFeature) -> bool:
    """Return whether a feature is farther from what was expected than another, on the same side."""
    by, by_other = _difference(feature), _difference(other)
    return by * by_other > 0 and abs(by) > abs(by_other)


def _difference(feature: EventFeature) -> float:
    value, expected = feature.value, feature.expected
    if feature.expected_rise_per_hour is not None:
        value, expected = feature.rise_per_hour, feature.expected_rise_per_hour
    return 0.0 if value is None or expected is None else value - expected


def _off(feature: EventFeature, at: str, opened_ms: int) -> str:
    """Return a value beside what was expected, and how long after the opening it was read."""
    seconds = (event_time_ms(at) - opened_ms) / 1000.0
    later = f" after {duration(seconds)}" if seconds > 0 else ""
    return f"{_shown(feature.name)} {amounts_of(feature)}{later}"


def _line(one: FoundIncident, rows: FileRows | None, zone: tzinfo | None) -> str:
    """Describe an incident in one line: sensor, time, how long, how bad, what was off."""
    opened_ms = event_time_ms(one.opened_at)
    kind = "" if one.type == ANOMALY else f", {one.type}"
    what = in_past(one.what) or "; then ".join(
        _off(feature, at, opened_ms) for feature, at in ((one.off, one.off_at), (one.then, one.then_at)) if feature
    )
    if rows is not None:
        what = rows.what(one.stretch) or what
    how_long = f"{_last_anomalous(one, opened_ms, rows)}{_closed(one, opened_ms)}"
    head = f"  {_shown(one.sensor_id)}  {shown_time(opened_ms, zone)}, {how_long}, {one.severity}{kind}{_told(one)}"
    return f"{head}: {what}".rstrip(": ")


def _told(one: FoundIncident) -> str:
    """Say what else a reader must know of the sensor to judge the incident: not ready yet, or a limit of its own."""
    if one.type != ANOMALY:
        return ""
    factor = one.margin_factor or 1.0
    raised = limit_in_words(factor) if factor > 1.0 or factor < LASTING_BELOW else ""
    return "".join(f", {text}" for text in (_shown(state_in_words(one.sensor_state)), raised) if text)


def _last_anomalous(one: FoundIncident, opened_ms: int, rows: FileRows | None) -> str:
    """Say when the last anomalous reading was: an incident stays open for a while after it."""
    last_ms = rows.last_anomalous_ms(one.stretch) if rows is not None else None
    if last_ms is None or last_ms < opened_ms or (one.is_accepted and last_ms == event_time_ms(one.closed_at)):
        return ""
    return f"last anomalous after {duration((last_ms - opened_ms) / 1000.0)}, " if last_ms > opened_ms else "anomalous once, "


def _closed(one: FoundIncident, opened_ms: int) -> str:
    if not one.closed_at:
        return "open at the end"
    seconds = (event_time_ms(one.closed_at) - opened_ms) / 1000.0
    how = "accepted as the new normal" if one.is_accepted else "closed"
    return f"{how} after {duration(seconds)}" if seconds >= 0 else f"{how}, when its clock had gone back"


def _shown(name: str) -> str:
    text = "".join(character if character.isprintable() else repr(character)[1:-1] for character in name[:_NAME_CHARACTERS])
    return text if len(name) <= _NAME_CHARACTERS else f"{text}..."


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
