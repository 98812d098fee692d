"""Plots one sensor: faults and alarms in words, its score in parts of the limit, its values beside what the model expected."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, tzinfo

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from stream_detector.evaluation.alarms import IncidentTimes
from stream_detector.evaluation.expected_values import Expected
from stream_detector.evaluation.picture_marks import FALSE, FOUND, LATE, MISSED, TRUE, Mark, alarm_marks, event_marks, pauses
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.readings import Float64Array, Int64Array
from stream_detector.timestamps import SECONDS_PER_DAY

#: Points per curve; with more readings, each point is the highest score of several.
POINTS = 1500
#: Scores above this many times the threshold are drawn there.
MOST_RATIO = 6.0
#: Values this many times the width of the others' range beyond it are cut off, if no more than this share of them are so far.
MOST_SPANS, _FAR_SHARE = 10.0, 0.002


#: Colours of the marks, and how they are named.
_COLORS = {FOUND: "#fde2c8", LATE: "#f6c945", MISSED: "#c58af9", TRUE: "#188038", FALSE: "#c5221f"}
_NAMES = {
    FOUND: "labelled fault, found",
    LATE: "labelled fault, found too late",
    MISSED: "labelled fault, missed",
    TRUE: "alarm in a fault, until it closed",
    FALSE: "false alarm, until it closed",
}
#: Where the marks of events and of alarms are in their panel, and where their texts are, in two lines.
_EVENTS, _ALARMS, _TEXTS = 0.53, 0.03, (0.14, 0.28)
#: The width of a character of the marks' text, as a share of the picture's. Of texts that would overlap, those on what went
#: wrong come first.
_CHARACTER = 0.0062
#: The least width of a mark, as a share of the picture's.
_LEAST_SHARE = 0.002
_NO_TIMES = IncidentTimes(0)
_IN_DAYS = 1000.0 * SECONDS_PER_DAY  # matplotlib counts time in days


def plot_series(
    series: LabelledSeries,
    expected: Expected | None = None,
    times: IncidentTimes = _NO_TIMES,
    window_length: int = 1,
    zone: tzinfo | None = None,
) -> bytes:
    """Return a PNG of what `draw_series` draws."""
    buffer = io.BytesIO()
    draw_series(series, expected, times, window_length, zone).savefig(buffer, format="png")
    return buffer.getvalue()


def draw_series(
    series: LabelledSeries, expected: Expected | None, times: IncidentTimes, window_length: int, zone: tzinfo | None
) -> Figure:
    """Draw a sensor without its late rows, with the features that `expected` names, in its order.

    Times are UTC without `zone`; the axis names it.
    """
    accepted = np.flatnonzero(~series.is_late)
    starts = np.unique(np.linspace(0, len(accepted), min(POINTS, len(accepted)), endpoint=False).astype(np.int64))
    shown = expected.features if expected else ()
    figure = Figure(figsize=(11.0, 2.3 + 1.5 * (1 + len(shown))), dpi=90, layout="constrained")
    panels = figure.subplots(2 + len(shown), 1, sharex=True, height_ratios=[1.0, *[1.0] * (1 + len(shown))])
    if expected and expected.left_out:
        text = f"the {len(shown)} features that were blamed most; {expected.left_out} more were blamed and are not drawn"
        figure.supxlabel(text, fontsize="small")
    of_events, of_alarms = event_marks(series), alarm_marks(series, times, window_length)
    least_days = _LEAST_SHARE * float(np.ptp(series.times_ms[accepted]) if len(accepted) else 0) / _IN_DAYS
    for axes in panels[1:]:
        _shade(axes, of_events, (0.0, 1.0), least_days)
        _shade(axes, of_alarms, (0.0, 0.07), least_days)
    for axes in panels:
        axes.margins(x=0.0)
        axes.tick_params(labelsize="small")
    for axes, (name, feature) in zip(panels[2:], shown, strict=True):
        assert expected is not None
        cut = _draw_values(axes, series, accepted[starts], expected, feature)
        off = " (off most in a fault that was not found in time)" if feature in expected.of_missed else ""
        axes.set_title(name.replace("$", r"\$") + off + cut, loc="left", fontsize="small")
    _draw_score(panels[1], series, accepted, starts)
    _draw_marks(panels[0], of_events, of_alarms, least_days)
    _show_times(panels[1], zone or UTC)
    panels[1].tick_params(labelbottom=True)
    panels[-1].set_xlabel(f"time ({zone or UTC})")
    _add_legend(figure, panels)
    return figure


def _show_times(axes: Axes, zone: tzinfo) -> None:
    """Write times in a zone at the axis that all panels share, the date once."""
    locator = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]  # as above


def _shade(axes: Axes, marks: Sequence[Mark], extent: tuple[float, float], least_days: float = 0.0) -> None:
    """Shade the times of the marks, from a share of the height upwards by another. A single reading is wide enough to see."""
    for kind, color in _COLORS.items():
        if ranges := [
            (one.start_ms / _IN_DAYS, max((one.end_ms - one.start_ms) / _IN_DAYS, least_days))
            for one in marks
            if one.kind == kind
        ]:
            axes.broken_barh(
                ranges,
                extent,
                transform=axes.get_xaxis_transform(),
                color=color,
                alpha=0.45 if kind in (MISSED, LATE) else 1.0,
                linewidth=0.8,
                label=_NAMES[kind],
                zorder=0,
            )


def _draw_marks(axes: Axes, of_events: Sequence[Mark], of_alarms: Sequence[Mark], least_days: float) -> None:
    """Draw events above alarms, with what became of them in words."""
    axes.set_ylim(0.0, 1.0)
    axes.set_yticks([_ALARMS + 0.06, _EVENTS + 0.06], labels=["alarms", "faults"])
    low, high = axes.get_xlim()
    for marks, bottom in ((of_alarms, _ALARMS), (of_events, _EVENTS)):
        _shade(axes, marks, (bottom, 0.12), least_days)
        taken: list[list[tuple[float, float]]] = [[] for _ in _TEXTS]
        for one in sorted(marks, key=lambda mark: (mark.kind in (FOUND, TRUE), mark.start_ms)):
            width = _CHARACTER * (len(one.text) + 1)
            place = min((one.start_ms / _IN_DAYS - low) / max(high - low, 1e-12), 1.0 - width)
            for height, line in zip(_TEXTS, taken, strict=True):
                if all(place >= end or place + width <= start for start, end in line):
                    axes.text(place, bottom + height, one.text, transform=axes.transAxes, fontsize="x-small")
                    line.append((place, place + width))
                    break


def _draw_values(axes: Axes, series: LabelledSeries, rows: Int64Array, expected: Expected, feature: int) -> str:
    """Draw a feature; return what to say of its panel: that far values are cut off, such as a counter's step after a pause."""
    measured = _broken(series, rows, series.values[rows, feature])
    axes.plot(*measured, color="#202124", linewidth=0.9, label="measured")
    usual = _broken(series, expected.rows, expected.values[:, feature].astype(np.float64))
    axes.plot(*usual, color="#e8710a", linewidth=1.0, linestyle="--", label="expected by the model")
    known = measured[1][np.isfinite(measured[1])]
    if not len(known):
        return ""
    low, high = np.quantile(known, [_FAR_SHARE, 1.0 - _FAR_SHARE])
    margin = MOST_SPANS * max(float(high - low), 1e-12)
    if float(known.min()) >= low - margin and float(known.max()) <= high + margin:
        return ""
    near = known[(known >= low - margin) & (known <= high + margin)]
    room = 0.05 * max(float(near.max() - near.min()), 1e-12)
    axes.set_ylim(float(near.min()) - room, float(near.max()) + room)
    return f"; far values are cut off, up to {known[np.abs(known - low).argmax()]:.4g}"


def _broken(series: LabelledSeries, rows: Int64Array, values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the times of rows in days, and their values, with a missing value wherever the sensor paused."""
    times_ms = series.times_ms[rows]
    before = np.asarray(pauses(series), np.int64)
    places = np.unique(np.searchsorted(times_ms, before, side="right"))
    places = places[(places > 0) & (places < len(rows))]
    return np.insert(times_ms / _IN_DAYS, places, times_ms[places - 1] / _IN_DAYS), np.insert(values, places, np.nan)


def _draw_score(axes: Axes, series: LabelledSeries, accepted: Int64Array, starts: Int64Array) -> None:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = series.product.scores[accepted] / np.fmax(series.product.thresholds[accepted], 1e-12)
    highest = np.fmax.reduceat(ratio, starts)
    drawn = _broken(series, accepted[starts], np.minimum(highest, MOST_RATIO))
    axes.plot(*drawn, color="#1a4f8b", linewidth=0.9, label="score")
    axes.axhline(1.0, color="black", linewidth=1.0, linestyle=":", label="limit: above it is an alarm")
    known = highest[np.isfinite(highest)]
    axes.set_ylim(0.0, min(MOST_RATIO, max(2.0, 1.1 * float(known.max(initial=0.0)))) * 1.02)
    cut = f", cut at {MOST_RATIO:g}" if known.max(initial=0.0) > MOST_RATIO else ""
    axes.set_title(f"score, as a multiple of the limit of its moment{cut}", loc="left", fontsize="small")


def _add_legend(figure: Figure, panels: np.ndarray[tuple[int], np.dtype[np.object_]]) -> None:
    """Name every kind of line and area once, above the panels."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    figure.legend(handles=list(found.values()), labels=list(found), loc="outside upper left", ncols=4, fontsize="small")
