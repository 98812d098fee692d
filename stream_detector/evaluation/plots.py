"""Plots one sensor: score and threshold over time, anomalous rows, and alarms."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream_detector.evaluation.scorecard import LabelledSeries
from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Float64Array
from stream_detector.timestamps import SECONDS_PER_DAY

#: Points per curve; with more readings, each point is the highest score of several.
POINTS = 1500


@dataclass(frozen=True, slots=True)
class _Bar:
    """How to shade one kind of rows, from the bottom to a share of the height."""

    name: str
    color: str
    height: float


_ANOMALOUS, _ALARM = _Bar("anomalous", "#f4c7c3", 1.0), _Bar("alarm", "#c5221f", 0.06)


def plot_series(series: LabelledSeries) -> bytes:
    """Return a PNG. Omits late rows; the score axis is linear up to about the threshold and logarithmic above."""
    accepted = np.flatnonzero(~series.is_late)
    starts = np.unique(np.linspace(0, len(accepted), min(POINTS, len(accepted)), endpoint=False).astype(np.int64))
    days = series.times_ms[accepted] / (1000.0 * SECONDS_PER_DAY)  # matplotlib counts time in days
    edges = np.append(days[starts], days[-1])
    score = np.fmax.reduceat(series.product.scores[accepted], starts)
    threshold = np.fmin.reduceat(series.product.thresholds[accepted], starts)
    figure = Figure(figsize=(11.0, 2.8), dpi=90, layout="constrained")
    axes = figure.add_subplot()
    _fill(axes, edges, np.logical_or.reduceat(series.labels[accepted], starts), _ANOMALOUS)
    _fill(axes, edges, np.logical_or.reduceat(series.product.alarms[accepted], starts), _ALARM)
    axes.plot(edges[:-1], score, color="#1a4f8b", linewidth=0.8, label="score")
    axes.plot(edges[:-1], threshold, color="black", linewidth=1.0, linestyle="--", label="threshold")
    _scale(axes, score, threshold)
    axes.xaxis_date()
    axes.margins(x=0.0)
    axes.legend(loc="upper left", fontsize="small", ncols=4)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


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


def _scale(axes: Axes, score: Float64Array, threshold: Float64Array) -> None:
    known = threshold[np.isfinite(threshold) & (threshold > 0.0)]
    if len(known):
        axes.set_yscale("symlog", linthresh=float(known.max()))
    highest = np.concatenate([score, threshold])
    highest = highest[np.isfinite(highest)]
    axes.set_ylim(min(0.0, float(highest.min(initial=0.0))), 1.2 * float(highest.max(initial=1.0)))
