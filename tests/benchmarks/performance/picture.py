"""Draws the picture of docs/performance.md: the time of a reading by stage, and readings per second by sensors."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from tests.benchmarks.performance.figures import Figure

STAGES, STAGE_UNIT = "stages alone", "us a reading"
SCALE, SPEED_UNIT = "scale", "readings/s"
#: Figures of the stages part that are not a stage; the window's shape follows the name.
SUM, WHOLE = "sum of the stages, ", "the whole, "


def draw(figures: Sequence[Figure]) -> bytes:
    """Draw an SVG; equal figures give equal bytes."""
    drawing = Drawing(figsize=(10.0, 3.4), layout="constrained")
    left, right = drawing.subplots(1, 2)
    _draw_stages(left, [one for one in figures if one.part == STAGES and one.unit == STAGE_UNIT])
    _draw_scale(right, [one for one in figures if one.part == SCALE and one.unit == SPEED_UNIT])
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "performance", "svg.fonttype": "none"}):
        drawing.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _draw_stages(axes: Axes, stages: Sequence[Figure]) -> None:
    """Draw a bar for each shape of windows, cut by the shares of its stages."""
    shapes = [one.name.removeprefix(SUM) for one in stages if one.name.startswith(SUM)]
    for row, shape in enumerate(shapes):
        ours = [one for one in stages if one.name.endswith(f", {shape}") and not one.name.startswith((SUM, WHOLE))]
        total, left = sum(one.value for one in ours), 0.0
        for number, one in enumerate(ours):
            width = 100 * one.value / total
            label = one.name.removesuffix(f", {shape}") if row == 0 else None
            axes.barh(row, width, left=left, color=f"C{number}", label=label)
            left += width
    axes.set_xlim(0, 100)
    axes.set_yticks(range(len(shapes)), shapes)
    axes.set_xlabel("% of the time of a reading")
    if shapes:
        axes.legend(fontsize="x-small", ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.02))


def _draw_scale(axes: Axes, speeds: Sequence[Figure]) -> None:
    """Draw a line for each series of figures that have a number of sensors in their name."""
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for one in speeds:
        if found := re.fullmatch(r"(.+), ([\d,]+) sensors", one.name):
            lines[found.group(1)].append((int(found.group(2).replace(",", "")), one.value))
    for name, points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("sensors")
    axes.set_ylabel("readings a second")
    if lines:
        axes.legend(fontsize="x-small", loc="lower left")
