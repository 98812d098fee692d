"""Plots one sensor: its values beside what the model expected, its score in parts of the limit, true faults and alarms."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream_detector.evaluation.alarms import find_incidents
from stream_detector.evaluation.expected_values import Expected
from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.timestamps import SECONDS_PER_DAY

#: Points per curve; with more readings, each point is the highest score of several.
POINTS = 1500
#: Scores above this many times the threshold are drawn there.
MOST_RATIO = 6.0


@dataclass(frozen=True, slots=True)
class _Bar:
    """How to shade one kind of rows, from the bottom to a share of the height."""

    name: str
    color: str
    height: float


_FAULT = _Bar("labelled fault", "#fde2c8", 1.0)
_TRUE, _FALSE = _Bar("alarm in a fault", "#188038", 0.07), _Bar("false alarm", "#c5221f", 0.07)


def plot_series(series: LabelledSeries, expected: Expected | None = None, quiet_ms: int = 0) -> bytes:
    """Return a PNG. Omits late rows. Draws the features that `expected` names, in its order."""
    accepted = np.flatnonzero(~series.is_late)
    starts = np.unique(np.linspace(0, len(accepted), min(POINTS, len(accepted)), endpoint=False).astype(np.int64))
    days = series.times_ms[accepted] / (1000.0 * SECONDS_PER_DAY)  # matplotlib counts time in days
    edges = np.append(days[starts], days[-1])
    shown = expected.features if expected else ()
    figure = Figure(figsize=(11.0, 1.2 + 1.5 * (1 + len(shown))), dpi=90, layout="constrained")
    panels = np.atleast_1d(np.asarray(figure.subplots(1 + len(shown), 1, sharex=True)))
    if expected and expected.left_out:
        text = f"the {len(shown)} features that were blamed most; {expected.left_out} more were blamed and are not drawn"
        figure.supxlabel(text, fontsize="small")
    is_true = _rows_of_true_incidents(series, quiet_ms)
    for axes in panels:
        for flags, bar in (
            (series.labels, _FAULT),
            (series.product.alarms & is_true, _TRUE),
            (series.product.alarms & ~is_true, _FALSE),
        ):
            _fill(axes, edges, np.logical_or.reduceat(flags[accepted], starts), bar)
        axes.margins(x=0.0)
        axes.tick_params(labelsize="small")
    if expected:
        for axes, (name, feature) in zip(panels[1:], shown, strict=True):
            _draw_values(axes, series, accepted[starts], expected, feature)
            axes.set_title(name.replace("$", r"\$"), loc="left", fontsize="small")
    _draw_score(panels[0], series, accepted, starts, edges[:-1])
    panels[0].xaxis_date()
    panels[0].tick_params(labelbottom=True)
    panels[-1].set_xlabel("time (UTC)")
    _add_legend(figure, panels)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _rows_of_true_incidents(series: LabelledSeries, quiet_ms: int) -> BoolArray:
    """Return the rows [N] of incidents that have at least one row of a fault."""
    is_true = np.zeros(len(series.labels), np.bool_)
    for first, stop in find_incidents(series.product, series.times_ms, series.is_late, quiet_ms).tolist():
        is_true[first:stop] = series.labels[first:stop].any()
    return is_true


def _draw_values(axes: Axes, series: LabelledSeries, rows: Int64Array, expected: Expected, feature: int) -> None:
    in_days = 1000.0 * SECONDS_PER_DAY
    axes.plot(series.times_ms[rows] / in_days, series.values[rows, feature], color="#202124", linewidth=0.9, label="measured")
    times = series.times_ms[expected.rows] / in_days
    axes.plot(times, expected.values[:, feature], color="#e8710a", linewidth=1.0, linestyle="--", label="expected by the model")


def _draw_score(axes: Axes, series: LabelledSeries, accepted: Int64Array, starts: Int64Array, days: Float64Array) -> None:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = series.product.scores[accepted] / np.fmax(series.product.thresholds[accepted], 1e-12)
    highest = np.fmax.reduceat(ratio, starts)
    axes.plot(days, np.minimum(highest, MOST_RATIO), color="#1a4f8b", linewidth=0.9, label="score")
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


def _fill(axes: Axes, edges: Float64Array, flags: BoolArray, bar: _Bar) -> None:
    """Shade the times where a flag [P] is set; edges [P + 1] are the start times of the points, and the end."""
    ranges = [(edges[first], edges[stop] - edges[first]) for first, stop in find_segments(flags)]
    axes.broken_barh(
        ranges,
        (0.0, bar.height),
        transform=axes.get_xaxis_transform(),
        color=bar.color,
        linewidth=0.8,
        label=bar.name,
        zorder=0,
    )
