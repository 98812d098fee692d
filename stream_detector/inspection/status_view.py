"""Draws a status for the terminal, in lines that fit it. Control characters in names and texts from topics are escaped."""

from __future__ import annotations

from datetime import tzinfo

from rich.cells import set_cell_size
from rich.text import Text

from stream_detector.alert_view import Palette, wrapped
from stream_detector.amounts import number
from stream_detector.detection.transition import ANOMALY, OPENED
from stream_detector.inspection.closing import closing_in_words
from stream_detector.inspection.sensors import FILLING, IDLE, IN_INCIDENT, LEARNING, READY, SILENT, STATES, SensorStatus
from stream_detector.inspection.status import BUILT_IN, KafkaPart, Status, problems_of
from stream_detector.inspection.stored import StoredSensors
from stream_detector.timestamps import duration, shown_time

_LABEL = 11  # columns of a line's first word
_LEAST_WIDTH = 40
_NAME = 28
_JOINED = "\xa0"  # a space at which no line is broken
_WORDS = {
    IN_INCIDENT: "in an incident",
    SILENT: "silent",
    FILLING: "filling",
    LEARNING: "learning its scale",
    IDLE: "idle",
    READY: "ready",
}
_STYLES = {IN_INCIDENT: "bold red", SILENT: "bold yellow", FILLING: "cyan", LEARNING: "cyan", IDLE: "dim", READY: "green"}
_MOST_ABOUT = 300
_MOST_REASONS = 5
#: Words on the learning that are older say so.
_FRESH_SECONDS = 60.0


def render_status(status: Status, palette: Palette, width: int, limit: int, zone: tzinfo | None = None) -> list[Text]:
    """Return lines of at most `width` columns, with at most `limit` sensors, open incidents, and dead letters each.

    Times are UTC without `zone`.
    """
    view = _View(status, palette, max(width, _LEAST_WIDTH), limit, zone)
    return view.lines()


class _View:
    """Builds the lines."""

    def __init__(self, status: Status, palette: Palette, width: int, limit: int, zone: tzinfo | None) -> None:
        self._status, self._palette, self._width, self._limit, self._zone = status, palette, width, limit, zone
        self._lines: list[Text] = []

    def lines(self) -> list[Text]:
        """Return all lines."""
        status = self._status
        title = f"{status.subject.input_topic}, group {status.subject.group_id}"
        self._wrapped("status of", f"{self._shown(title, 120)} at {self._time(status.at_ms)}", "bold")
        for problem in problems_of(status):
            self._wrapped("problem", self._shown(problem.text, 600), "bold red")
        self._model()
        if status.kafka is not None:
            self._detector(status.kafka)
        if status.stored is not None:
            self._sensors(status.stored)
        if status.kafka is not None:
            self._alarms(status.kafka)
        if status.kafka is not None or status.stored is not None:
            self._incidents()
        if status.kafka is not None:
            self._dead_letters(status.kafka)
        return self._lines

    def _model(self) -> None:
        subject = self._status.subject
        if subject.model_name:
            self._wrapped("model", self._shown(self._model_in_words(), 300), "yellow" if self._runs_another else "")
        elif not subject.model_problem:
            watch = "the built-in model and the rules watch" if subject.has_built_in else "only the rules watch"
            self._wrapped("model", f"none yet in {self._shown(subject.model, 80)}: {watch}", "yellow")
        learning = self._status.learning
        if learning is not None:
            age = (self._status.at_ms - learning.at_ms) / 1000.0
            said = f" (said {self._ago(learning.at_ms)})" if abs(age) > _FRESH_SECONDS else ""
            self._wrapped("learning", self._shown(learning.text, 600) + said, "cyan")

    @property
    def _runs_another(self) -> bool:
        return self._status.model_in_use not in ("", self._status.subject.model_name)

    def _model_in_words(self) -> str:
        """Name the model of the directory, and the one that judges where that is another."""
        subject, used = self._status.subject, self._status.model_in_use
        if not self._runs_another:
            return subject.model_name
        trained = f", written {self._time(subject.model_ms)}" if subject.model_ms else ""
        how = "a restart or SIGHUP takes" if used == BUILT_IN else "a restart takes"
        return f"{used} judged the newest reading; {subject.model} holds {subject.model_name}{trained}: {how} it up"

    def _detector(self, part: KafkaPart) -> None:
        group, speed = part.group, part.speed
        members = f"{group.members} running" if group.members else "none running"
        self._wrapped("detectors", members if group.members else "none running", "" if group.members else "bold red")
        if not group.partitions:
            return
        parts = [_plural(len(group.partitions), "partition")]
        if speed.arriving is not None:
            parts.append(f"{number(speed.arriving)} records/s arrive")
        if speed.committed is not None:
            parts.append(f"{number(speed.committed)}/s are dealt with")
        parts.append(f"lag {_plural(group.lag, 'record')}" if group.has_committed else "no position committed yet")
        self._wrapped("input", ", ".join(parts))

    def _sensors(self, stored: StoredSensors) -> None:
        counts = [
            f"{stored.counts[state]:,}{_JOINED}{_WORDS[state].replace(' ', _JOINED)}"
            for state in STATES
            if stored.counts.get(state)
        ]
        first = f"the first {stored.total:,} (there are more): " if stored.is_cut else f"{stored.total:,}: "
        text = first + ", ".join(counts) if stored.total else "none stored yet"
        if stored.unknown and self._status.subject.model_name:
            text += f"; {stored.unknown:,} unknown to the model"
        if stored.unreadable:
            text += f"; {stored.unreadable:,} that cannot be read"
        self._wrapped("sensors", text)
        shown = stored.sensors[: self._limit]
        for one in shown:
            self._sensor(one)
        if stored.total > len(shown):
            self._wrapped("", f"... and {stored.total - len(shown):,} more; --limit N shows more", "dim")

    def _sensor(self, one: SensorStatus) -> None:
        name_width = min(_NAME, self._width // 3)
        state = self._state(one) + ("" if one.is_known or one.state == LEARNING else ", unknown")
        line = Text("  ").append(set_cell_size(self._shown(one.sensor, name_width), name_width) + " ", "bold")
        room = self._width - line.cell_len - 13
        line.append(f"{self._shown(state, room):<{room}} ", _STYLES[one.state])
        line.append(self._ago(one.last_ms)[:12])
        line.rstrip()
        self._lines.append(line)
        if found := self._status.unusable(one):
            records = "1 record became a dead letter" if found.count == 1 else f"{found.count:,} records became dead letters"
            since = self._time(found.since_ms)
            text = f"but it sends: {records} since {since}, the last {self._ago(found.last_ms)}: {found.reason}"
            self._block(self._shown(text, 240), "yellow", indent=4)

    def _time(self, time_ms: int) -> str:
        return shown_time(time_ms // 1000 * 1000, self._zone)

    def _state(self, one: SensorStatus) -> str:
        if one.state == FILLING:
            return f"filling {one.filled} of {one.window_length}"
        if one.state == LEARNING:
            return f"learning its scale, {one.learned:,} of {one.to_learn:,}" if one.to_learn > one.learned else "learning"
        if one.state == IN_INCIDENT:
            return "in an incident: " + ", ".join(kind.type for kind in one.incidents)
        return _WORDS[one.state]

    def _alarms(self, part: KafkaPart) -> None:
        alarms, allowed = part.alarms, self._status.allowed_alarms
        least = "" if alarms.is_complete else "at least "
        text = f"{least}{alarms.anomalies:,} of the score in 24 h"
        if allowed is not None:
            more = "or more " if self._status.stored and self._status.stored.is_cut else ""
            budget = self._status.subject.budget_per_sensor_day
            text += f", {number(allowed)} {more}allowed ({budget:g} per sensor and day)"
        text += f"; {least}{alarms.of_rules:,} of the rules"
        is_over = allowed is not None and alarms.anomalies > max(1.0, allowed)
        self._wrapped("alarms", text, "yellow" if is_over else "")

    def _incidents(self) -> None:
        found = self._status.open_incidents
        self._wrapped("open", _plural(len(found), "incident") if found else "no incident")
        for one in found[: self._limit]:
            kind = one.severity if one.type == ANOMALY else " ".join(filter(None, (one.severity, one.type)))
            name = self._shown(one.sensor, _NAME) or "the whole input"
            head = f"{self._palette.marks[OPENED]} {name} {kind} since {self._time(one.since_ms)}"
            self._block(head, "bold" if one.severity != "critical" else "bold red", indent=2)
            self._block(self._shown(one.about, _MOST_ABOUT), "", indent=4)
            if one.closing is not None:
                self._block(self._shown(closing_in_words(one.closing, self._zone), _MOST_ABOUT), "dim", indent=4)
        if len(found) > self._limit:
            self._wrapped("", f"... and {len(found) - self._limit:,} more", "dim")

    def _dead_letters(self, part: KafkaPart) -> None:
        found = part.dead_letters
        least = "" if found.is_complete else "at least "
        self._wrapped("unusable", f"{least}{_plural(found.last_hour, 'record')} in the last hour (dead letters)")
        shown = found.groups[: min(self._limit, _MOST_REASONS)]
        for group in shown:
            one = group.newest
            when = f"{group.count:,} x {one.reason}, the last" if group.count > 1 else one.reason
            self._block(self._shown(f"{when} {self._ago(one.at_ms)}: {one.detail} ({one.place})", 240), "dim", indent=2)
        if len(found.groups) > len(shown):
            command = f"stream-detector dead-letters{self._status.subject.options}"
            more = f"... and {len(found.groups) - len(shown)} more reasons; `{command}` lists all"
            self._wrapped("", more, "dim")

    def _ago(self, time_ms: int) -> str:
        if time_ms < 0:
            return "never"
        seconds = (self._status.at_ms - time_ms) / 1000.0
        if seconds < 0:
            return f"{duration(-seconds)} ahead"
        return f"{duration(float(round(seconds)))} ago"

    def _shown(self, text: str, length: int) -> str:
        return self._palette.printable(text, length)

    def _wrapped(self, label: str, text: str, style: str = "") -> None:
        """Add a labelled line, and where it does not fit others below its text."""
        lines = wrapped(text, self._width - _LABEL) or [""]
        for at, line in enumerate(lines):
            shown = line.replace(_JOINED, " ")
            self._lines.append(Text(f"{label if at == 0 else '':<{_LABEL}}", "dim").append(shown, style))

    def _block(self, text: str, style: str, indent: int) -> None:
        space = " " * indent
        lines = wrapped(text, self._width, space, space)
        self._lines += [Text(line, style) for line in lines]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
