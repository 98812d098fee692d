"""Plots two curves with characters: a column for each reading, or for a few of them, and a row for each step of the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.amounts import number
from stream_detector.readings import Float64Array

#: What a cell shows.
EMPTY, EXPECTED, MEASURED, BOTH = range(4)
_AXIS = 11  # columns of the labels and of the axis


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters of a plot, for a cell that shows nothing, what was expected, what was read, both; and of the axis."""

    cells: str
    axis: str


UNICODE_MARKS = Marks(" ─●◉", "│")
ASCII_MARKS = Marks(" -o@", "|")


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A row of a plot: its label with the axis, and the cells."""

    label: str
    cells: tuple[int, ...]


def plot(measured: Float64Array, expected: Float64Array | None, width: int, height: int) -> list[PlotLine]:
    """Return the rows of a plot of values [T], NaN where there is none, the highest first; none without any value.

    A row is at most `width` columns wide. More readings than columns are put together: of those in a column, the farthest from
    what was expected is shown.
    """
    both = measured if expected is None else np.concatenate([measured, expected])
    known = both[np.isfinite(both)]
    if not len(known):
        return []
    low, high = float(known.min()), float(known.max())
    columns = min(len(measured), max(1, width - _AXIS))
    shown, usual = _columns(measured, expected, columns)
    cells = np.zeros((height, columns), np.int64)
    for values, mark in ((usual, EXPECTED), (shown, MEASURED)):
        if values is None:
            continue
        at = np.flatnonzero(np.isfinite(values))
        share = (values[at] - low) / (high - low) if high > low else np.full(len(at), 0.5)
        row = height - 1 - np.rint(share * (height - 1)).astype(np.int64)
        cells[row, at] |= mark
    labels = [""] * height
    labels[0], labels[-1] = number(high), number(low) if high > low else ""
    if high <= low:
        labels = [""] * height
        labels[height // 2] = number(high)
    room = _AXIS - 2
    return [PlotLine(f"{label[:room]:>{room}} ", tuple(row)) for label, row in zip(labels, cells.tolist(), strict=True)]


def _columns(measured: Float64Array, expected: Float64Array | None, columns: int) -> tuple[Float64Array, Float64Array | None]:
    """Return one value for each column."""
    if columns >= len(measured):
        return measured, expected
    edges = np.linspace(0, len(measured), columns + 1).astype(np.int64)
    usual = expected if expected is not None else np.full(len(measured), np.nan)
    chosen = []
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = measured[begin:end]
        middle = usual[begin:end] if expected is not None else np.nanmean(measured)
        off = np.abs(part - middle)
        chosen.append(begin + (int(np.nanargmax(off)) if np.isfinite(off).any() else 0))
    return measured[chosen], None if expected is None else usual[chosen]
