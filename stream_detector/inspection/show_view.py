"""Draws one sensor for the terminal: a plot of each feature beside what was expected, the score, and what is blamed."""

from __future__ import annotations

from rich.text import Text

from stream_detector.alert_view import UNICODE, Palette, sparkline, wrapped
from stream_detector.amounts import compared, told_apart
from stream_detector.detection.event_words import is_lowered_as_lasting, limit_in_words
from stream_detector.detection.transition import ANOMALY, OPENED
from stream_detector.inspection.closing import closing_in_words
from stream_detector.inspection.plot import ASCII_MARKS, BOTH, EXPECTED, MEASURED, UNICODE_MARKS, plot
from stream_detector.inspection.sensor_view import FeatureView, SensorView
from stream_detector.inspection.sensors import FILLING, IDLE, IN_INCIDENT, LEARNING, SILENT
from stream_detector.timestamps import duration, shown_time

_LEAST_WIDTH, _AXIS, _NAME = 40, 10, 40
_HEIGHT = 6
_STYLES = {EXPECTED: "dark_orange", MEASURED: "bold", BOTH: "bold"}


def state_in_words(view: SensorView) -> str:
    """Say in which state a sensor is."""
    status = view.status
    words = {
        IN_INCIDENT: "in an incident",
        SILENT: "silent",
        IDLE: "idle",
        FILLING: f"filling: {status.filled} of {status.window_length} readings",
        LEARNING: f"learning its scale: {status.learned:,} of {status.to_learn:,} readings",
    }
    known = "" if status.is_known else ", unknown to the model"
    return words.get(status.state, "ready") + known


def score_in_words(view: SensorView) -> str:
    """Say what the score is and whether that is too much."""
    if view.scored is None:
        return f"no score: {view.not_scored}"
    score, threshold = told_apart(view.scored.score, view.scored.threshold)
    is_held = view.scored.score > view.scored.held_above and any(one.type == ANOMALY for one in view.incidents)
    is_odd = is_held or is_lowered_as_lasting(view.scored.margin_factor)
    calm = "below the threshold" if is_odd else "as usual"
    verdict = f"anomalous, {view.severity}" if view.scored.is_anomalous else calm
    limit = limit_in_words(view.scored.margin_factor)
    return f"{score}, threshold {threshold}: {verdict}{'; ' if limit else ''}{limit}"


def newest_in_words(feature: FeatureView) -> str:
    """Say what was read last beside what was expected, and for how long nothing was read or nothing changed."""
    expected = None if feature.expected is None else float(feature.expected[-1])
    text = compared(float(feature.values[-1]), expected)
    if feature.absent:
        text += f", no value for {feature.absent:,} readings"
    elif feature.unchanged > 1:
        text += f", the same {feature.unchanged + 1:,} times"
    return text


def render_sensor(view: SensorView, palette: Palette, width: int, most_features: int, at_ms: int) -> list[Text]:
    """Return lines of at most `width` columns; plots the first `most_features` features."""
    width = max(width, _LEAST_WIDTH)
    status = view.status
    lines = [Text(palette.printable(status.sensor, width), style="bold")]
    ago = duration(float(round(max(0, at_ms - status.last_ms) / 1000.0)))
    place = f"{view.input_topic} partition {status.partition}"
    lines += _wrapped("state", palette.printable(state_in_words(view), 200), width)
    lines += _wrapped("last", palette.printable(f"{shown_time(status.last_ms, view.zone)}, {ago} ago, {place}", 400), width)
    lines += _wrapped("score", palette.printable(score_in_words(view), 400), width)
    for one in view.incidents:
        kind = f"{one.severity} {one.type}".strip()
        about = f": {one.about}" if one.about else ""
        text = f"{palette.marks[OPENED]} {kind} since {shown_time(one.since_ms, view.zone)}{about}"
        lines += _wrapped("", palette.printable(text, 400), width, "red")
        if one.closing is not None:
            lines += _wrapped("", palette.printable(closing_in_words(one.closing, view.zone), 400), width)
    for note in view.notes:
        lines += _wrapped("note", palette.printable(note, 400), width, "yellow")
    for feature in view.features[:most_features]:
        lines += [Text(""), *_feature(view, feature, palette, width)]
    if len(view.times_ms):
        lines += _foot(view, palette, width)
    if (left := len(view.features) - most_features) > 0:
        lines += _wrapped(
            "", f"{left} more feature{'s' if left > 1 else ''}; --features N, --json and --html show more", width, "dim"
        )
    return lines


def _feature(view: SensorView, feature: FeatureView, palette: Palette, width: int) -> list[Text]:
    is_marked = view.is_marked(feature)
    title = Text(palette.printable(feature.label, _NAME), style="bold red" if is_marked else "bold")
    parts = [newest_in_words(feature)]
    if feature.share is not None:
        parts.append(f"{100.0 * feature.share:.0f} % of the score")
    parts += [f"rule {kind}" for kind in feature.rules]
    rest = wrapped("; ".join(parts), width - 2, " " * 2, " " * 2)
    lines = [title, *(Text(line) for line in rest)]
    marks = UNICODE_MARKS if palette is UNICODE else ASCII_MARKS
    for row in plot(feature.values, feature.expected, width, _HEIGHT):
        line = Text(f"{row.label}{marks.axis}", "dim")
        for cell in row.cells:
            line.append(marks.cells[cell], _STYLES.get(cell, ""))
        line.rstrip()
        lines.append(line)
    return lines


def _foot(view: SensorView, palette: Palette, width: int) -> list[Text]:
    """Say what the columns are, and draw when the score arose."""
    lines = []
    columns = min(len(view.times_ms), width - _AXIS - 1)
    if view.step_share is not None:
        spark = sparkline(view.step_share.tolist(), palette, columns)
        lines += [Text(""), Text(f"{'score by':>{_AXIS - 1}}  ", "dim").append(spark, "cyan")]
    first, last = (shown_time(int(time_ms), view.zone) for time_ms in (view.times_ms[0], view.times_ms[-1]))
    marks = UNICODE_MARKS if palette is UNICODE else ASCII_MARKS
    text = f"{len(view.times_ms)} readings from {first} to {last}; {marks.cells[MEASURED]} read"
    if view.scored is not None:
        text += f", {marks.cells[EXPECTED]} expected, {marks.cells[BOTH]} both"
    return lines + _wrapped("", text, width, "dim")


def _wrapped(label: str, text: str, width: int, style: str = "") -> list[Text]:
    lines = wrapped(text, width - _AXIS) or [""]
    return [Text(f"{label if at == 0 else '':<{_AXIS}}", "dim").append(line, style) for at, line in enumerate(lines)]
