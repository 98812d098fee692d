"""Draws a training: readings that the model has not seen beside what it expected, and the network's losses if it is scored."""

from __future__ import annotations

import io
import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream_detector.amounts import number
from stream_detector.training.network_fit import Losses
from stream_detector.training.trainer import Example

#: Features below each other, and columns of them: more would make the picture too large to look at.
_ROWS, _COLUMNS = 12, 4
FEATURES_DRAWN = _ROWS * _COLUMNS
_NAME_CHARACTERS, _TITLE_CHARACTERS = 60, 75
_MEASURED, _EXPECTED = "#202124", "#e8710a"
_HOW_TO_READ = (
    "Nine in ten healthy readings of this sensor lie in the band. A line that leaves it for a few readings is no fault: the "
    "score alarms on errors that are far rarer."
)


def draw_training(losses: Losses, example: Example, features: tuple[str, ...]) -> bytes:
    """Return a PNG: a window of typical error, and the losses if the network is part of the model's score."""
    drawn = features[:FEATURES_DRAWN]
    of_features = math.ceil(len(drawn) / _ROWS)
    rows, columns = math.ceil(len(drawn) / of_features), of_features + example.has_network
    figure = Figure(figsize=(5.5 * columns + 2.5, 1.3 + 1.35 * max(rows, 2)), layout="constrained")
    figure.suptitle(_title(example, len(drawn), len(features)), fontsize="large")
    grid = figure.add_gridspec(rows, columns)
    shared: Axes | None = None
    for position, name in enumerate(drawn):
        axes = figure.add_subplot(grid[position % rows, position // rows], sharex=shared)
        shared = shared or axes
        _draw_feature(axes, example, position, name)
        is_lowest = position % rows == rows - 1 or position == len(drawn) - 1
        axes.tick_params(labelbottom=is_lowest)
        if is_lowest:
            axes.set_xlabel("reading before the newest one (0)")
    if shared is not None:
        figure.legend(*shared.get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize="small")
    if example.has_network:
        _draw_losses(figure.add_subplot(grid[:, of_features]), losses, example.dropout)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _title(example: Example, drawn: int, features: int) -> str:
    some = f" ({drawn} of {features} features)" if drawn < features else ""
    text = f"{_name(example.sensor)}: healthy readings that were kept back, and what the model expected{some}"
    return "\n".join([*textwrap.wrap(text, _TITLE_CHARACTERS), *textwrap.wrap(_HOW_TO_READ, _TITLE_CHARACTERS)])


def _draw_feature(axes: Axes, example: Example, position: int, name: str) -> None:
    steps = np.arange(1 - len(example.window), 1)
    newest = steps[-len(example.expected) :]
    axes.plot(steps, example.window[:, position], color=_MEASURED, linewidth=1.2, label="measured")
    axes.plot(newest, example.expected[:, position], color=_EXPECTED, linewidth=1.4, marker=".", label="expected by the model")
    wide = example.wide_error[position]
    if math.isfinite(wide):
        low, high = example.expected[:, position] - wide, example.expected[:, position] + wide
        axes.fill_between(newest, low, high, color=_EXPECTED, alpha=0.2, linewidth=0.0, label="nine in ten healthy readings")
    axes.set_title(f"{_name(name)}{_told_error(example, position)}", loc="left", fontsize="small")
    axes.tick_params(labelsize="small")
    axes.margins(x=0.01)


def _told_error(example: Example, position: int) -> str:
    """Say how far a feature is off in the picture, and usually."""
    measured = example.window[-len(example.expected) :, position].astype(np.float64)
    distances = np.abs(measured - example.expected[:, position])
    usual = example.usual_error[position]
    if not (np.isfinite(distances).any() and math.isfinite(usual)):
        return ""
    return f": off by {number(float(np.nanmedian(distances)))} here, usually by {number(float(usual))}"


def _draw_losses(axes: Axes, losses: Losses, dropout: float) -> None:
    axes.plot(losses.steps, losses.training, label="on the readings it learns from" + (" (with dropout)" if dropout else ""))
    axes.plot(losses.steps, losses.validation, label="on readings kept back")
    axes.set_title("the network: error while it learned", loc="left", fontsize="small")
    axes.set_xlabel("training step")
    axes.set_ylabel("loss (lower is better)")
    axes.legend(loc="best", fontsize="small")


def _name(text: str) -> str:
    """Return a name, cut if it is long, that matplotlib does not take for a formula."""
    return (text if len(text) <= _NAME_CHARACTERS else f"{text[:_NAME_CHARACTERS]}...").replace("$", r"\$")
