"""Draws an event for the terminal: what happened, attention over time, and the features behind the score.

Text from a topic might control the terminal, so unprintable characters are shown as escapes. Long names are cut.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console
from rich.text import Text

from stream_detector.detection.events import READY, Event, EventFeature, event_time_ms, read_event
from stream_detector.detection.transition import CLOSED, OPENED, UPDATED
from stream_detector.readings import Record
from stream_detector.timestamps import duration, iso_time

_MAX_FEATURES = 3
_FEWEST_DIGITS, _MOST_DIGITS = 4, 12
_MIN_SHARE = 0.05  # smallest share of a feature that gets a line; the first feature always gets one
_CHART_WIDTH = 48
_BAR_WIDTH = 16
_STYLES = {"low": "yellow", "medium": "yellow", "high": "bold red", "critical": "bold white on red"}


@dataclass(frozen=True, slots=True)
class Palette:
    """The characters of the drawing."""

    levels: str  # heights of a sparkline, lowest first
    bar: str  # full, empty
    marks: dict[str, str]  # by status
    encoding: str  # characters outside it are shown as escapes

    @classmethod
    def for_encoding(cls, encoding: str | None) -> Palette:
        """Return blocks for a terminal that can show them, otherwise plain ASCII."""
        return UNICODE if (encoding or "").lower().replace("-", "") == "utf8" else ASCII

    def printable(self, text: str, length: int) -> str:
        """Return text that the terminal displays without interpreting it, cut to a length."""
        return printable(text, length, self.encoding)


UNICODE = Palette("▁▂▃▄▅▆▇█", "█░", {OPENED: "●", UPDATED: "◆", CLOSED: "○"}, "utf-8")
ASCII = Palette("_.:-=+*#", "#.", {OPENED: "!", UPDATED: "*", CLOSED: "-"}, "ascii")


def render_event(event: Event, palette: Palette) -> Text:
    """Draw an event in a few lines, without a line break at the end."""
    lines = [_headline(event, palette)]
    if event.status != CLOSED:
        lines += [*_charts(event, palette), *_feature_lines(event, palette)]
    return Text("\n").join(lines)


def render_unreadable(value: bytes | None, reason: str, place: str) -> Text:
    """Describe in one line a record of the alerts topic that is not an event."""
    beginning = printable((value or b"")[:60].decode("ascii", errors="backslashreplace"), 60)
    reason = printable(reason, 120, "ascii")
    return Text(f"? unreadable alert at {place}: {reason}; {len(value or b'')} bytes: {beginning}", style="magenta")


def printable(text: str, length: int, encoding: str = "utf-8") -> str:
    """Return text that a terminal of this encoding displays without interpreting it, cut to a length in characters."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[: length + 1])
    shown = shown.encode(encoding, "backslashreplace").decode(encoding)
    return shown if len(shown) <= length else shown[: length - 3] + "..."


def sparkline(weights: Sequence[float], palette: Palette, width: int = _CHART_WIDTH) -> str:
    """Draw weights as heights relative to the largest. More weights than `width` are averaged in equal groups."""
    columns = min(len(weights), width)
    edges = [position * len(weights) // max(columns, 1) for position in range(columns + 1)]
    means = [sum(weights[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    peak = max(means, default=0.0)
    top = len(palette.levels) - 1
    return "".join(palette.levels[round(top * weight / peak) if peak > 0.0 else 0] for weight in means)


def _headline(event: Event, palette: Palette) -> Text:
    """Show status, severity, sensor and time, then score and threshold, or how the incident ended."""
    style = "green" if event.status == CLOSED else _STYLES.get(event.severity, "yellow")
    status = palette.printable(event.status or event.type, 20)
    line = Text()
    line.append(f"{palette.marks.get(event.status, '?')} {status:<7} {palette.printable(event.severity, 10):<8}", style=style)
    line.append(f" {palette.printable(event.sensor_id, 40):<9}", style="bold")
    line.append(f" {iso_time(event_time_ms(event.timestamp)).replace('T', ' ')}  ")
    line.append(_ending(event) if event.status == CLOSED else _excess(event))
    if event.sensor_state not in ("", READY):
        line.append(f" ({palette.printable(event.sensor_state, 20)})", style="dim")
    return line


def _excess(event: Event) -> str:
    if event.score is None or event.threshold is None:
        return "not scored"
    return f"score {event.score:.3g}, threshold {event.threshold:.3g}"


def _ending(event: Event) -> str:
    opened_at, peak = event.incident.opened_at, event.incident.peak_score
    parts = []
    if opened_at:
        parts.append(f"after {duration((event_time_ms(event.timestamp) - event_time_ms(opened_at)) / 1000.0)}")
    if peak is not None:
        parts.append(f"peak {peak:.3g}")
    return ", ".join(parts)


def _charts(event: Event, palette: Palette) -> list[Text]:
    """Draw attention and shares of the score over the window's readings."""
    lines = []
    for name, weights in (("attention", event.attention), ("score by step", event.step_shares)):
        if weights:
            line = Text(f"  {name:<14}")
            line.append(sparkline(weights, palette), style="cyan")
            lines.append(line.append(f"  {len(weights)} readings, newest right" if name == "attention" else ""))
    return lines


def _feature_lines(event: Event, palette: Palette) -> list[Text]:
    """Draw the features with the largest shares of the score, names aligned."""
    shown = [
        feature
        for position, feature in enumerate(event.features[:_MAX_FEATURES])
        if position == 0 or (feature.share or 0.0) >= _MIN_SHARE
    ]
    names = [palette.printable(feature.name, 30) for feature in shown]
    width = max(map(len, names), default=0)
    return [_feature_line(feature, f"{name:<{width}}", palette) for feature, name in zip(shown, names, strict=True)]


def _feature_line(feature: EventFeature, name: str, palette: Palette) -> Text:
    """Draw one feature: its share of the score as a bar, its value, and the value that the model expected."""
    share = min(max(feature.share or 0.0, 0.0), 1.0)
    full = round(share * _BAR_WIDTH)
    line = Text(f"  {'':<14}{name}  ")
    line.append(palette.bar[0] * full, style="red").append(palette.bar[1] * (_BAR_WIDTH - full), style="dim")
    digits = _digits(feature.value, feature.expected)
    value = "missing" if feature.value is None else f"{feature.value:.{digits}g}"
    expected = "" if feature.expected is None else f", expected {feature.expected:.{digits}g}"
    return line.append(f" {100.0 * share:3.0f} %  {value}{expected}{' (imputed)' if feature.imputed else ''}")


def _digits(value: float | None, expected: float | None) -> int:
    """Return how many digits to show: more than the usual where two large numbers, such as of a meter, else look alike."""
    if value is None or expected is None or value == expected:
        return _FEWEST_DIGITS
    enough = (digits for digits in range(_FEWEST_DIGITS, _MOST_DIGITS) if f"{value:.{digits}g}" != f"{expected:.{digits}g}")
    first = next(enough, _MOST_DIGITS)
    return first if first == _FEWEST_DIGITS else min(first + 1, _MOST_DIGITS)


Show = Callable[[Record], None]


def event_printer() -> Show:
    """Return a function that draws alerts on stdout: in colour on a terminal, in ASCII if the encoding has no blocks."""
    console = Console(highlight=False, markup=False, emoji=False)
    palette = Palette.for_encoding(sys.stdout.encoding)

    def show(record: Record) -> None:
        try:
            drawing = render_event(read_event(record.value or b""), palette)
        except ValueError as error:
            drawing = render_unreadable(record.value, str(error), place(record))
        console.print(drawing, soft_wrap=True)
        sys.stdout.flush()

    return show


def place(record: Record) -> str:
    """Return a record's place in the log: topic, partition and offset."""
    return f"{record.topic} partition {record.partition} offset {record.offset}"
