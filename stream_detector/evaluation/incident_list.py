"""Lists the incidents of a scored file as an operator counts them, from the events that the stream would publish.

A line names the feature that was blamed most when the incident opened, and the farthest that it was off in that direction at
any of the incident's events. The event with the highest score tells less: a window is often most surprising when a fault ends,
and by then the value is back while the model expects the fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream_detector.alert_view import amounts_of
from stream_detector.detection.events import Event, EventFeature, event_time_ms, read_event
from stream_detector.detection.severity import least_ratio
from stream_detector.detection.transition import ANOMALY, CLOSED, OPENED
from stream_detector.readings import Message
from stream_detector.timestamps import duration, iso_time

#: How many incidents are listed.
LISTED = 10
_NAME_CHARACTERS = 40


@dataclass(slots=True)
class FoundIncident:
    """One incident, as its events tell it."""

    sensor_id: str
    type: str
    opened_at: str
    closed_at: str = ""  # empty: still open at the end
    severity: str = ""
    what: str = ""  # the newest sentence of a rule; empty in an anomaly
    off: EventFeature | None = None  # what was blamed most at the opening, where it was farthest off in that direction

    def see(self, event: Event) -> None:
        """Take in an event of the incident while it is open."""
        self.severity = event.incident.peak_severity or event.severity or self.severity
        self.what = event.what or self.what
        if self.off is None:
            self.off = event.features[0] if event.features else None
            return
        for feature in event.features:
            if feature.name == self.off.name and _is_farther(feature, self.off):
                self.off = feature


@dataclass(slots=True)
class IncidentList:
    """All incidents of a file, in the order in which they opened."""

    found: list[FoundIncident] = field(default_factory=list)
    _open: dict[str, FoundIncident] = field(default_factory=dict)

    def add(self, messages: Iterable[Message]) -> None:
        """Take the events of a batch."""
        for message in messages:
            self._take(read_event(message.value or b""))

    def lines(self) -> list[str]:
        """Return how many there are, and a line for each of the most severe, in the order in which they opened."""
        if not self.found:
            return ["no incident"]
        sensors = len({one.sensor_id for one in self.found})
        types = Counter(one.type for one in self.found)
        kinds = ", ".join(f"{count} {kind}" for kind, count in types.most_common())
        kinds = "" if list(types) == [ANOMALY] else f" ({kinds})"
        counted = f"{_counted(len(self.found), 'incident')}{kinds} in {_counted(sensors, 'sensor')}:"
        more = len(self.found) - LISTED
        rest = [f"  and {more:,} more, no more severe"] if more > 0 else []
        return [counted, *map(_line, self._most_severe()), *rest]

    def _most_severe(self) -> list[FoundIncident]:
        """Return the incidents to list: of equal severity, those of the score first, because they are rarer."""
        ranks = [(-least_ratio(one.severity), one.type != ANOMALY, at) for at, one in enumerate(self.found)]
        return [self.found[at] for at in sorted(at for *_, at in sorted(ranks)[:LISTED])]

    def _take(self, event: Event) -> None:
        if event.status == OPENED:
            incident = FoundIncident(event.sensor_id, event.type, event.timestamp)
            self.found.append(incident)
            self._open[event.incident_id] = incident
        found = self._open.get(event.incident_id)
        if found is None:
            return
        if event.status == CLOSED:
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


def _off(feature: EventFeature) -> str:
    """Return a value beside what was expected."""
    return f"{_shown(feature.name)} {amounts_of(feature)}"


def _line(one: FoundIncident) -> str:
    """Describe an incident in one line: sensor, time, how long, how bad, what was off."""
    opened_ms = event_time_ms(one.opened_at)
    moment = iso_time(opened_ms).replace("T", " ").replace(".000Z", "Z")
    if one.closed_at:
        seconds = (event_time_ms(one.closed_at) - opened_ms) / 1000.0
        how_long = f"closed after {duration(seconds)}" if seconds >= 0 else "closed, when its clock had gone back"
    else:
        how_long = "open at the end"
    kind = "" if one.type == ANOMALY else f", {one.type}"
    what = one.what or (_off(one.off) if one.off else "")
    return f"  {_shown(one.sensor_id)}  {moment}, {how_long}, {one.severity}{kind}: {what}".rstrip(": ")


def _shown(name: str) -> str:
    text = "".join(character if character.isprintable() else repr(character)[1:-1] for character in name[:_NAME_CHARACTERS])
    return text if len(name) <= _NAME_CHARACTERS else f"{text}..."


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
