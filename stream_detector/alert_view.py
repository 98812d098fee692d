"""An event as a picture for the terminal: what happened, attention over time, and the features to blame.

Pure: bytes of an alert in, lines of text out. What comes from a topic is not trusted with the terminal: characters that
are not printable are shown as escapes, and long names are cut.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
from rich.console import Console
from rich.text import Text

from stream_detector.readings import Record
from stream_detector.timestamps import duration

_MOST_FEATURES = 3
_LEAST_SHARE = 0.05  # of a feature that is worth a line, unless it is the first
_PICTURE_WIDTH = 48
_BAR_WIDTH = 16
_STYLES = {"low": "yellow", "medium": "yellow", "high": "bold red", "critical": "bold white on red"}


class Feature(msgspec.Struct, frozen=True):
    """What an event says of a feature."""

    name: str
    value: float | None = None
    expected: float | None = None
    share: float | None = None
    imputed: bool = False


class Incident(msgspec.Struct, frozen=True):
    """What an event says of its incident."""

    opened_at: datetime | None = None
    peak_score: float | None = None


class Alert(msgspec.Struct, frozen=True):
    """What the picture needs of an event; unknown fields are ignored."""

    sensor_id: str
    timestamp: datetime
    status: str = ""
    type: str = "anomaly"
    incident_id: str = ""
    severity: str = ""
    sensor_state: str = ""
    score: float | None = None
    threshold: float | None = None
    attention: tuple[float, ...] = ()
    step_shares: tuple[float, ...] = ()
    features: tuple[Feature, ...] = ()
    incident: Incident = Incident()


@dataclass(frozen=True, slots=True)
class Palette:
    """The characters of the picture."""

    levels: str  # of a sparkline, from nothing to most
    bar: str  # full, empty
    marks: dict[str, str]  # by status
    encoding: str  # what else cannot be shown becomes an escape

    @classmethod
    def for_encoding(cls, encoding: str | None) -> Palette:
        """Return blocks for a terminal that can show them, else plain ASCII."""
        return UNICODE if (encoding or "").lower().replace("-", "") == "utf8" else ASCII

    def printable(self, text: str, most: int) -> str:
        """Return text that the terminal shows and does not obey."""
        return printable(text, most, self.encoding)


UNICODE = Palette("▁▂▃▄▅▆▇█", "█░", {"opened": "●", "updated": "◆", "closed": "○"}, "utf-8")
ASCII = Palette("_.:-=+*#", "#.", {"opened": "!", "updated": "*", "closed": "-"}, "ascii")


def read_alert(value: bytes) -> Alert:
    """Decode an alert; raise ValueError that says why it is none."""
    try:
        return msgspec.json.decode(value, type=Alert)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(printable(str(error), 120, "ascii")) from None


def render_alert(alert: Alert, palette: Palette) -> Text:
    """Draw an event in a few lines, without a line break at the end."""
    lines = [_headline(alert, palette)]
    if alert.status != "closed":
        lines += _picture(alert, palette)
    return Text("\n").join(lines)


def render_unreadable(value: bytes | None, reason: str, place: str) -> Text:
    """Say in one line that a record of the alerts topic is no event."""
    beginning = printable((value or b"")[:60].decode("ascii", errors="backslashreplace"), 60)
    return Text(f"? unreadable alert at {place}: {reason}; {len(value or b'')} bytes: {beginning}", style="magenta")


def printable(text: str, most: int, encoding: str = "utf-8") -> str:
    """Return text that a terminal of this encoding shows and does not obey, at most so many characters."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[: most + 1])
    shown = shown.encode(encoding, "backslashreplace").decode(encoding)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def sparkline(weights: Sequence[float], palette: Palette, width: int = _PICTURE_WIDTH) -> str:
    """Draw weights as heights, the largest full; more weights than `width` are summed up in equal stretches."""
    columns = min(len(weights), width)
    edges = [position * len(weights) // max(columns, 1) for position in range(columns + 1)]
    sums = [sum(weights[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    peak = max(sums, default=0.0)
    top = len(palette.levels) - 1
    return "".join(palette.levels[round(top * weight / peak) if peak > 0.0 else 0] for weight in sums)


def _headline(alert: Alert, palette: Palette) -> Text:
    """Status, severity, sensor, time, and how far over the threshold."""
    style = "green" if alert.status == "closed" else _STYLES.get(alert.severity, "yellow")
    status = palette.printable(alert.status or alert.type, 20)
    line = Text()
    line.append(f"{palette.marks.get(alert.status, '?')} {status:<7} {palette.printable(alert.severity, 10):<8}", style=style)
    line.append(f" {palette.printable(alert.sensor_id, 40):<9}", style="bold")
    at = _utc(alert.timestamp)
    line.append(f" {at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z  ")
    line.append(_ending(alert) if alert.status == "closed" else _excess(alert))
    if alert.sensor_state not in ("", "ready"):
        line.append(f" ({palette.printable(alert.sensor_state, 20)})", style="dim")
    return line


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _excess(alert: Alert) -> str:
    if alert.score is None or alert.threshold is None:
        return "not scored"
    return f"score {alert.score:.3g}, threshold {alert.threshold:.3g}"


def _ending(alert: Alert) -> str:
    opened, peak = alert.incident.opened_at, alert.incident.peak_score
    lasted = f"after {duration((_utc(alert.timestamp) - _utc(opened)).total_seconds())}" if opened else ""
    return ", ".join(part for part in (lasted, f"peak {peak:.3g}" if peak is not None else "") if part)


def _picture(alert: Alert, palette: Palette) -> list[Text]:
    lines = []
    for name, weights in (("attention", alert.attention), ("score by step", alert.step_shares)):
        if weights:
            line = Text(f"  {name:<14}")
            line.append(sparkline(weights, palette), style="cyan")
            lines.append(line.append(f"  {len(weights)} readings, newest right" if name == "attention" else ""))
    blamed = [
        feature
        for position, feature in enumerate(alert.features[:_MOST_FEATURES])
        if position == 0 or (feature.share or 0.0) >= _LEAST_SHARE
    ]
    names = [palette.printable(feature.name, 30) for feature in blamed]
    width = max(map(len, names), default=0)
    return lines + [_blame(feature, f"{name:<{width}}", palette) for feature, name in zip(blamed, names, strict=True)]


def _blame(feature: Feature, name: str, palette: Palette) -> Text:
    """One feature: its share of the score as a bar, its value and what the model expected."""
    share = min(max(feature.share or 0.0, 0.0), 1.0)
    full = round(share * _BAR_WIDTH)
    line = Text(f"  {'':<14}{name}  ")
    line.append(palette.bar[0] * full, style="red").append(palette.bar[1] * (_BAR_WIDTH - full), style="dim")
    value = "missing" if feature.value is None else f"{feature.value:.4g}"
    expected = "" if feature.expected is None else f", expected {feature.expected:.4g}"
    return line.append(f" {100.0 * share:3.0f} %  {value}{expected}{' (imputed)' if feature.imputed else ''}")


Show = Callable[[Record], None]


def picture_printer() -> Show:
    """Return what draws alerts to stdout: in colour on a terminal, in ASCII where the encoding has no blocks."""
    console = Console(highlight=False, markup=False, emoji=False)
    palette = Palette.for_encoding(sys.stdout.encoding)

    def show(record: Record) -> None:
        try:
            picture = render_alert(read_alert(record.value or b""), palette)
        except ValueError as error:
            picture = render_unreadable(record.value, str(error), place(record))
        console.print(picture, soft_wrap=True)
        sys.stdout.flush()

    return show


def place(record: Record) -> str:
    """Say where a record is."""
    return f"{record.topic} partition {record.partition} offset {record.offset}"
