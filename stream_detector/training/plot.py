"""Plots a training: the losses, and a window with the network's prediction of its masked newest rows."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stream_detector.training.network_fit import Losses
from stream_detector.training.trainer import Example

FEATURES_DRAWN = 4


def draw_training(losses: Losses, example: Example, features: tuple[str, ...]) -> bytes:
    """Return a PNG: the losses on the left, the first features of the example window on the right."""
    drawn = features[:FEATURES_DRAWN]
    figure = Figure(figsize=(10.0, 1.2 + 1.6 * len(drawn)), layout="constrained")
    grid = figure.add_gridspec(len(drawn), 2)
    _draw_losses(figure.add_subplot(grid[:, 0]), losses)
    for position, name in enumerate(drawn):
        axes = figure.add_subplot(grid[position, 1])
        steps = np.arange(1 - len(example.window), 1)
        axes.plot(steps, example.window[:, position], color="black", linewidth=1.2, label="measured")
        masked = steps[-len(example.expected) :]
        axes.plot(masked, example.expected[:, position], color="tab:orange", linewidth=1.2, label="expected, when masked")
        axes.set_ylabel(name)
        if position == 0:
            axes.set_title("a typical window not used in fitting")
            axes.legend(loc="best", fontsize="small")
    axes.set_xlabel("reading, 0 = newest")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_losses(axes: Axes, losses: Losses) -> None:
    axes.plot(losses.steps, losses.training, label="training (with dropout)")
    axes.plot(losses.steps, losses.validation, label="validation")
    axes.set_title("loss")
    axes.set_xlabel("step")
    axes.set_ylabel("negative log likelihood of masked values")
    axes.legend(loc="best", fontsize="small")
