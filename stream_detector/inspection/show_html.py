"""Renders one sensor as a single self-contained HTML file: no network, no scripts; the curves are inline SVG."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from html import escape

import numpy as np

from stream_detector.amounts import number
from stream_detector.inspection.alarms import OpenIncident
from stream_detector.inspection.closing import closing_in_words
from stream_detector.inspection.sensor_view import FeatureView, SensorView
from stream_detector.inspection.show_view import newest_in_words, score_in_words, state_in_words
from stream_detector.readings import Float64Array, Int64Array
from stream_detector.timestamps import shown_time

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 960, 220, 84, 12, 28
#: Steps with a larger share of the score than an even one by this factor are shaded.
_SHADED = 2.0
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #202124; }
h1 { font-size: 1.6rem; margin-bottom: .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .25rem; }
section.marked h2 { color: #c5221f; }
section.marked { border-left: 4px solid #c5221f; padding-left: .75rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }
th { font-weight: 600; }
.chart { overflow-x: auto; }
svg { width: 100%; min-width: 48rem; height: auto; background: #fff; }
svg text { font: 12px system-ui, sans-serif; fill: #5f6368; }
.measured { fill: none; stroke: #202124; stroke-width: 1.6; }
.expected { fill: none; stroke: #e8710a; stroke-width: 1.6; stroke-dasharray: 6 4; }
.points circle { fill: #202124; }
.blamed { fill: #fce8e6; }
.grid { stroke: #dadce0; }
.key span { margin-right: 1.5rem; }
.key .m { border-top: 2px solid #202124; } .key .e { border-top: 2px dashed #e8710a; }
"""


def sensor_page(view: SensorView, at_ms: int) -> str:
    """Return the HTML text."""
    name = escape(view.status.sensor)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{name}: values and what was expected</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{name}</h1>",
        _facts(view, at_ms),
        _key(view),
        *(_section(view, feature) for feature in view.features),
        "</body></html>\n",
    ]
    return "\n".join(filter(None, parts))


def _facts(view: SensorView, at_ms: int) -> str:
    status = view.status
    rows = [
        ("state", state_in_words(view)),
        ("score", score_in_words(view)),
        ("last reading", f"{shown_time(status.last_ms, view.zone)}, {view.input_topic} partition {status.partition}"),
        ("page made at", shown_time(at_ms, view.zone)),
        *(("open incident", _incident(one, view.zone)) for one in view.incidents),
        *(("note", note) for note in view.notes),
    ]
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f'<table class="facts">{cells}</table>'


def _incident(one: OpenIncident, zone: tzinfo | None) -> str:
    since = f"{one.severity} {one.type} since {shown_time(one.since_ms, zone)}".strip()
    waits = f" ({closing_in_words(one.closing, zone)})" if one.closing else ""
    return since + (f": {one.about}" if one.about else "") + waits


def _key(view: SensorView) -> str:
    parts = ['<span class="m">read</span>']
    if view.scored is not None:
        parts.append('<span class="e">expected by the model</span>')
        parts.append("<span>red: readings and features that the score comes from</span>")
    return f'<p class="key">{"".join(parts)}</p>'


def _section(view: SensorView, feature: FeatureView) -> str:
    share = f", {100.0 * feature.share:.0f} % of the score" if feature.share is not None else ""
    rules = "".join(f", rule {kind}" for kind in feature.rules)
    kind = ' class="marked"' if view.is_marked(feature) else ""
    text = f"last {newest_in_words(feature)}{share}{rules}"
    return f"<section{kind}><h2>{escape(feature.label)}</h2><p>{escape(text)}</p>{_chart(view, feature)}</section>"


def _chart(view: SensorView, feature: FeatureView) -> str:
    curves = [feature.values] if feature.expected is None else [feature.values, feature.expected]
    known = np.concatenate(curves)
    known = known[np.isfinite(known)]
    if not len(known):
        return "<p>no value in the window</p>"
    low, high = float(known.min()), float(known.max())
    room = 0.05 * (high - low) or max(abs(high), 1.0) * 0.01
    x = _across(view.times_ms)
    y = [_down(curve, low - room, high + room) for curve in curves]
    parts = [_frame(view, low, high, room), _blamed(view, feature, x)]
    if feature.expected is not None:
        parts.append(_line(x, y[1], "expected"))
    parts += [_line(x, y[0], "measured"), _points(view, feature, x, y[0])]
    label = escape(f"{feature.label} over time", quote=True)
    chart = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f'<div class="chart">{chart}</div>'


def _across(times_ms: Int64Array) -> Float64Array:
    span = max(1, int(times_ms[-1] - times_ms[0]))
    return np.asarray(_LEFT + (times_ms - times_ms[0]) / span * (_WIDTH - _LEFT - 12), np.float64)


def _down(values: Float64Array, low: float, high: float) -> Float64Array:
    return np.asarray(_TOP + (high - values) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), np.float64)


def _frame(view: SensorView, low: float, high: float, room: float) -> str:
    parts = []
    for value in (low, high) if high > low else (low,):
        down = float(_down(np.array([value]), low - room, high + room)[0])
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{down:.1f}" y2="{down:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{down + 4:.1f}" text-anchor="end">{escape(number(value))}</text>')
    for time_ms, anchor, across in ((view.times_ms[0], "start", _LEFT), (view.times_ms[-1], "end", _WIDTH - 12)):
        shown = shown_time(int(time_ms), view.zone)
        parts.append(f'<text x="{across}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{shown}</text>')
    return "".join(parts)


def _blamed(view: SensorView, feature: FeatureView, x: Float64Array) -> str:
    """Shade the readings that the score comes from, of a feature that is marked."""
    if view.step_share is None or not view.is_marked(feature):
        return ""
    blamed = np.flatnonzero(view.step_share > _SHADED / len(view.step_share)).tolist()
    half = max(2.0, float(np.diff(x).min(initial=_WIDTH)) / 2.0)
    height = _HEIGHT - _TOP - _BOTTOM
    return "".join(
        f'<rect class="blamed" x="{x[at] - half:.1f}" y="{_TOP}" width="{2 * half:.1f}" height="{height}"/>' for at in blamed
    )


def _line(x: Float64Array, y: Float64Array, kind: str) -> str:
    """Return the curve, in a piece for each run of values without a gap."""
    return "".join(f'<polyline class="{kind}" points="{" ".join(piece)}"/>' for piece in _pieces(x, y))


def _pieces(x: Float64Array, y: Float64Array) -> Iterable[list[str]]:
    known = np.flatnonzero(np.isfinite(y))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if len(run):
            yield [f"{x[at]:.1f},{y[at]:.1f}" for at in run.tolist()]


def _points(view: SensorView, feature: FeatureView, x: Float64Array, y: Float64Array) -> str:
    """Return a dot for each reading; its tip has the time and the values."""
    dots = []
    for at in np.flatnonzero(np.isfinite(y)).tolist():
        usual = "" if feature.expected is None else f", expected {number(float(feature.expected[at]))}"
        tip = escape(f"{shown_time(int(view.times_ms[at]), view.zone)}: {number(float(feature.values[at]))}{usual}")
        dots.append(f'<circle cx="{x[at]:.1f}" cy="{y[at]:.1f}" r="2"><title>{tip}</title></circle>')
    return f'<g class="points">{"".join(dots)}</g>'
