"""The picture of docs/performance.md: where the time of a reading goes, and readings a second by the number of sensors."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from tests.benchmarks.performance.figures import Figure

STAGES, SCALE = "stages", "scale"
STAGE_UNIT, SPEED_UNIT = "us a reading", "readings/s"


def draw(figures: Sequence[Figure]) -> bytes:
    """Draw an SVG; equal figures give equal bytes."""
    drawing = Drawing(figsize=(9.0, 3.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    _draw_stages(left, [one for one in figures if one.part == STAGES and one.unit == STAGE_UNIT])
    _draw_scale(right, [one for one in figures if one.part == SCALE and one.unit == SPEED_UNIT])
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "performance"}):
        drawing.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _draw_stages(axes: Axes, stages: Sequence[Figure]) -> None:
    total = sum(one.value for one in stages)
    names = [one.name for one in stages]
    axes.barh(names, [100 * one.value / total for one in stages], color="tab:blue")
    axes.invert_yaxis()
    axes.set_xlabel("% of the time of a reading")


def _draw_scale(axes: Axes, speeds: Sequence[Figure]) -> None:
    points = sorted((sensors, one.value) for one in speeds if (sensors := _sensors(one.name)))
    axes.plot([sensors for sensors, _ in points], [value for _, value in points], marker="o", color="tab:blue")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("sensors")
    axes.set_ylabel("readings a second")


def _sensors(name: str) -> int:
    """Return the number of sensors that a figure's name has: "100,000 sensors"; 0 if it has none."""
    found = re.search(r"([\d,]+) sensors", name)
    return int(found.group(1).replace(",", "")) if found else 0
