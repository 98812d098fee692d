"""Learns from the training's readings what counts as a step back and forth, and how many are healthy in a row, by sensor."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.rules.turns import SPANS, chain_counts
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array

#: The sizes of steps that are tried, in mean changes of the sensor. 0: any change is a step.
_SIZES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 16.0)
#: Healthy data must not turn more often in a row than this; otherwise a step must be larger, or come sooner. Fewer if steps
#: have a size, because they are noise then, and a sensor takes memory while it remembers one.
_MOST_CHANGES, _MOST_TURNS = 5, 2


@dataclass(frozen=True, slots=True)
class FittedTurns:
    """What counts as a step of one feature, by sensor [S]; see HealthyData."""

    step: Float32Array
    counts_gaps: BoolArray
    span: Int32Array
    turns: Int32Array


def fit_turns(values: Float32Array, codes: Int32Array, width: Float32Array) -> FittedTurns:
    """Find for each sensor the smallest steps, over the longest span, of which its readings [N] make few in a row.

    The readings of a sensor are together. `width` [S] of its range, NaN without a value: no step is larger, so if no smaller
    one will do, it is a step to be beyond that.
    """
    sensors, changes = len(width), _Changes.of(values, codes)
    found = FittedTurns(
        step=np.nan_to_num(width, nan=np.inf),
        counts_gaps=np.bincount(codes[changes.missing], minlength=sensors) == 0,
        span=np.full(sensors, min(SPANS), np.int32),
        turns=np.zeros(sensors, np.int32),
    )
    found.step[np.isnan(width)], found.span[:] = np.inf, max(SPANS)
    unit = changes.mean(sensors)
    is_left = ~np.isnan(width)
    for gaps, span, size in itertools.product((True, False), SPANS, _SIZES):
        usable = is_left & ((size == 0.0) | (size * unit < width / 2))
        if not usable.any():
            continue
        turns = changes.most_turns(size * unit, span, sensors, gaps=gaps)
        fits = usable & (turns <= (_MOST_TURNS if size else _MOST_CHANGES))
        found.step[fits], found.turns[fits] = (size * unit)[fits], turns[fits]
        found.counts_gaps[fits], found.span[fits] = gaps, span
        is_left &= ~fits
    return found


@dataclass(frozen=True, slots=True)
class _Changes:
    """The changes of one feature."""

    codes: Int32Array  # [N]
    missing: BoolArray  # [N]
    difference: Float32Array  # [N] from the newest value of the sensor before; 0 without one
    gap_step: Int32Array  # [N] -1: the value vanishes, 1: it is there again

    @classmethod
    def of(cls, values: Float32Array, codes: Int32Array) -> _Changes:
        missing = np.isnan(values)
        follows = np.append(False, codes[1:] == codes[:-1])[: len(codes)]
        present = np.flatnonzero(~missing)
        difference = np.zeros(len(values), np.float32)
        within = np.append(False, codes[present][1:] == codes[present][:-1])[: len(present)]
        difference[present] = np.where(within, np.diff(values[present], prepend=values[present][:1]), 0)
        differs = follows & np.append(False, missing[1:] != missing[:-1])[: len(codes)]
        return cls(codes, missing, difference, np.where(differs, np.where(missing, -1, 1), 0).astype(np.int32))

    def mean(self, sensors: int) -> Float64Array:
        """Return the mean size of a sensor's changes [S]; 0 without any."""
        sizes = np.abs(self.difference.astype(np.float64))
        count = np.bincount(self.codes, self.difference != 0, sensors)
        return np.asarray(np.bincount(self.codes, sizes, sensors) / np.maximum(count, 1))

    def most_turns(self, step: Float64Array, span: int, sensors: int, *, gaps: bool) -> Int32Array:
        """Return the most turns in a row [S], for steps larger than `step` [S]."""
        steps = np.where(np.abs(self.difference) > step.astype(np.float32)[self.codes], np.sign(self.difference), 0)
        if gaps:
            steps = np.where(self.gap_step != 0, self.gap_step, steps)
        at = np.flatnonzero(steps)
        of = self.codes[at]
        is_first = np.append(True, of[1:] != of[:-1])[: len(of)]
        gap: Int64Array = np.diff(at, prepend=0)
        turns = chain_counts(steps[at] > 0, gap, span, is_first, np.zeros(len(at), np.int64))
        most = np.zeros(sensors, np.int32)
        np.maximum.at(most, of, turns.astype(np.int32))
        return most
