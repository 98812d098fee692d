"""Draws an event for the terminal: who and when, what is off and by how much, the score, and when it arose.

Lines fit the terminal, or 80 columns. Text from a topic might control the terminal, so unprintable characters are shown as
escapes. Long names are cut.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import pairwise

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console
from rich.text import Text

from stream_detector.amounts import compared, told_apart
from stream_detector.detection.event_words import attention_in_words, is_accepted, limit_in_words, state_in_words
from stream_detector.detection.events import Event, EventFeature, event_time_ms, read_event
from stream_detector.detection.transition import (
    ACCEPTED,
    ANOMALY,
    CLOCK_RIGHT,
    CLOSED,
    FELL_SILENT,
    IDLE,
    OPENED,
    QUIET,
    RETURNED,
    SWITCHED_OFF,
    UPDATED,
)
from stream_detector.readings import Record
from stream_detector.timestamps import duration, shown_time

_MAX_FEATURES = 3
_MIN_SHARE = 0.05  # smallest share of a feature that gets a line; the first feature always gets one
_CHART_WIDTH = 32
_LEAST_WIDTH, _USUAL_WIDTH = 30, 80
_INDENT = "  "
_MOST_WHAT = 400  # columns of a rule's sentence
_CHARACTERS_A_COLUMN = 4  # that are looked at: accents are characters of their own, and take no column
_STYLES = {"low": "yellow", "medium": "yellow", "high": "bold red", "critical": "bold white on red"}


#: How an incident ended, by the reason in its closing event.
_ENDINGS = {
    QUIET: "the score is normal again",
    ACCEPTED: "accepted as the new normal",
    IDLE: "the machine is idle",
    FELL_SILENT: "the sensor fell silent",
    RETURNED: "the sensor is back",
    CLOCK_RIGHT: "the clock is right again",
    SWITCHED_OFF: "the rule was switched off",
}


@dataclass(frozen=True, slots=True)
class Palette:
    """The characters of the drawing."""

    levels: str  # heights of a sparkline, lowest first
    marks: dict[str, str]  # by status
    encoding: str  # characters outside it are shown as escapes

    @classmethod
    def for_encoding(cls, encoding: str | None) -> Palette:
        """Return blocks for a terminal that can show them, otherwise plain ASCII."""
        return UNICODE if (encoding or "").lower().replace("-", "") == "utf8" else ASCII

    def printable(self, text: str, length: int) -> str:
        """Return text that the terminal displays without interpreting it, cut to a length."""
        return printable(text, length, self.encoding)


UNICODE = Palette("▁▂▃▄▅▆▇█", {OPENED: "●", UPDATED: "◆", CLOSED: "○"}, "utf-8")
ASCII = Palette("_.:-=+*#", {OPENED: "!", UPDATED: "*", CLOSED: "-"}, "ascii")


def render_event(event: Event, palette: Palette, width: int = _USUAL_WIDTH, zone: tzinfo | None = None) -> Text:
    """Draw an event in a few lines of at most `width` columns, without a line break at the end.

    Times are UTC without `zone`.
    """
    width = max(width, _LEAST_WIDTH)
    lines = _headline(event, palette, width, zone)
    if event.what:
        lines += _sentence(event.what, palette, width)
    if event.status != CLOSED:
        if not event.what:
            lines += _feature_lines(event, palette, width)
        lines += [*_score_lines(event, width), *_charts(event, palette, width)]
    return Text("\n").join(lines)


def render_unreadable(value: bytes | None, reason: str, place: str) -> Text:
    """Describe in one line a record of the alerts topic that is not an event."""
    beginning = printable((value or b"")[:60].decode("ascii", errors="backslashreplace"), 60)
    reason = printable(reason, 120, "ascii")
    return Text(f"? unreadable alert at {place}: {reason}; {len(value or b'')} bytes: {beginning}", style="magenta")


def printable(text: str, length: int, encoding: str = "utf-8") -> str:
    """Return text that a terminal of this encoding displays without interpreting it, cut to a length in columns."""
    most = _CHARACTERS_A_COLUMN * length + 1
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[:most])
    shown = shown.encode(encoding, "backslashreplace").decode(encoding)
    is_whole = cell_len(shown) <= length and len(text) <= most
    return shown if is_whole else set_cell_size(shown, max(0, length - 3)) + "..."


def wrapped(text: str, width: int, initial: str = "", subsequent: str = "") -> list[str]:
    """Return lines of at most `width` columns, with these indents. Letters of some scripts take two columns."""
    if cell_len(text) == len(text):
        return textwrap.wrap(text, width, initial_indent=initial, subsequent_indent=subsequent)
    lines: list[str] = []
    line, room = initial, width - len(initial)
    for word in filter(None, text.split(" ")):
        space = " " if cell_len(line) > width - room else ""
        if space and cell_len(line + space + word) > width:
            lines.append(line)
            line, room, space = subsequent, width - len(subsequent), ""
        *full, rest = chop_cells(word, room) or [word]  # accents alone take no column
        for part in full:
            lines.append(line + part)
            line, room = subsequent, width - len(subsequent)
        line += space + rest
    return [*lines, line] if text.strip() else []


def sparkline(weights: Sequence[float], palette: Palette, width: int = _CHART_WIDTH) -> str:
    """Draw weights as heights relative to the largest. More weights than `width` are averaged in equal groups."""
    columns = min(len(weights), width)
    edges = [position * len(weights) // max(columns, 1) for position in range(columns + 1)]
    means = [sum(weights[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    peak = max(means, default=0.0)
    top = len(palette.levels) - 1
    return "".join(palette.levels[round(top * weight / peak) if peak > 0.0 else 0] for weight in means)


def _headline(event: Event, palette: Palette, width: int, zone: tzinfo | None) -> list[Text]:
    """Show status, severity, what found it, sensor and time, and how it ended; on as many lines as that takes."""
    style = "green" if event.status == CLOSED else _STYLES.get(event.severity, "yellow")
    status = palette.printable(event.status or event.type, 20)
    first = Text(f"{palette.marks.get(event.status, '?')} {status:<7} {palette.printable(event.severity, 10):<8}", style=style)
    parts = [first]
    if event.type != ANOMALY and event.status:
        parts.append(Text(palette.printable(event.type, 20), style=style))
    parts.append(Text(f"{palette.printable(event.sensor_id, min(40, width - len(_INDENT))):<9}", style="bold"))
    parts.append(Text(shown_time(event_time_ms(event.timestamp), zone)))
    state = palette.printable(state_in_words(event.sensor_state), 40)
    if state and event.incident.reason != RETURNED:
        parts.append(Text(f"({state})", style="dim"))
    if event.status == CLOSED:
        parts += [Text(text) for text in _ending(event, palette)]
    return _flow(parts, width)


def _flow(parts: Sequence[Text], width: int) -> list[Text]:
    """Join parts with a space; a part that does not fit begins another line, indented."""
    lines = [parts[0]]
    for part in parts[1:]:
        if lines[-1].cell_len + 1 + cell_len(part.plain.rstrip()) <= width:
            lines[-1] = Text(" ").join([lines[-1], part])
        else:
            lines.append(Text(_INDENT).append(part))
    return lines


def _ending(event: Event, palette: Palette) -> list[str]:
    """Return for how long, how bad and why it ended."""
    opened_at, peak = event.incident.opened_at, event.incident.peak_score
    seconds = (event_time_ms(event.timestamp) - event_time_ms(opened_at)) / 1000.0 if opened_at else None
    reason = ACCEPTED if is_accepted(event) else event.incident.reason
    how = "over" if reason == QUIET and event.type != ANOMALY else _ENDINGS.get(reason, palette.printable(reason, 20))
    parts = [
        f"after {duration(seconds)}" if seconds is not None and seconds >= 0 else "",  # a clock may have gone back
        f"peak {peak:.3g}" if peak is not None else "",
        how,
    ]
    found = [part for part in parts if part]
    return [f"{part}," for part in found[:-1]] + found[-1:]


def _sentence(text: str, palette: Palette, width: int) -> list[Text]:
    shown = palette.printable(text, _MOST_WHAT)
    return [Text(line) for line in wrapped(shown, width, _INDENT, _INDENT)]


def _score_lines(event: Event, width: int) -> list[Text]:
    if event.type != ANOMALY:
        return []
    if event.score is None or event.threshold is None:
        return [Text(f"{_INDENT}not scored", style="dim")] if event.status else []
    moved = limit_in_words(event.margin_factor)
    text = f"score {', threshold '.join(told_apart(event.score, event.threshold))}{moved and ', '}{moved}"
    return [Text(line) for line in textwrap.wrap(text, width, initial_indent=_INDENT, subsequent_indent=2 * _INDENT)]


def _charts(event: Event, palette: Palette, width: int) -> list[Text]:
    """Draw over the window's readings when the score arose, and what the network attended to if it made a part of it.

    Below it stands what the network usually attends to, if that is known.
    """
    usual = event.usual_attention if event.attention else ()
    all_of = (("score by step", event.step_shares), ("attention", event.attention), ("usually", usual))
    named = [(name, weights) for name, weights in all_of if weights]
    lines = []
    for name, weights in named:
        line = Text(f"{_INDENT}{name:<14}")
        line.append(sparkline(weights, palette, min(_CHART_WIDTH, width - 16)), style="cyan")
        lines.append(line)
    if named:
        note = f" newest of {len(named[0][1])} readings at right"
        fits = lines[0].cell_len + len(note) <= width
        lines = [lines[0].append(note, style="dim"), *lines[1:]] if fits else lines
    shift = textwrap.wrap(attention_in_words(event), width, initial_indent=_INDENT, subsequent_indent=2 * _INDENT)
    return lines + [Text(line, style="dim") for line in shift]


def _feature_lines(event: Event, palette: Palette, width: int) -> list[Text]:
    """Show the features with the largest shares of the score: value, expected value, difference and share."""
    shown = [
        feature
        for position, feature in enumerate(event.features[:_MAX_FEATURES])
        if position == 0 or (feature.share or 0.0) >= _MIN_SHARE
    ]
    lines = []
    for feature in shown:
        name = palette.printable(feature.name, min(40, width - len(_INDENT)))
        amounts = amounts_of(feature) + (" (imputed)" if feature.imputed else "")
        share = f"{100.0 * min(max(feature.share or 0.0, 0.0), 1.0):.0f} % of the score"
        first, *others = _flow([Text(name, style="bold"), Text(amounts, style="red"), Text(share, style="dim")], width - 4)
        lines += [Text(_INDENT).append(first), *[Text(_INDENT).append(other) for other in others]]
    return lines


def amounts_of(feature: EventFeature) -> str:
    """Return what was read beside what was expected; of a counter, how fast it rose."""
    if feature.expected_rise_per_hour is None:
        return compared(feature.value, feature.expected)
    return f"rise per hour {compared(feature.rise_per_hour, feature.expected_rise_per_hour)}"


Show = Callable[[Record], None]


def event_printer(zone: tzinfo | None = None) -> Show:
    """Return a function that draws alerts on stdout: in colour on a terminal, in ASCII if the encoding has no blocks.

    Times are UTC without `zone`.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    palette = Palette.for_encoding(sys.stdout.encoding)

    def show(record: Record) -> None:
        try:
            drawing = render_event(read_event(record.value or b""), palette, console.width, zone)
        except ValueError as error:
            drawing = render_unreadable(record.value, str(error), place(record))
        console.print(drawing, soft_wrap=True)
        sys.stdout.flush()

    return show


def place(record: Record) -> str:
    """Return a record's place in the log: topic, partition and offset."""
    return f"{record.topic} partition {record.partition} offset {record.offset}"
