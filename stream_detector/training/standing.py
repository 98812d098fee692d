"""Tells the values of a machine that stands from failed reads: both are far from those at work, but a machine stands for long.

A failed read comes alone or for few readings, or says one and the same value for long, which lies anywhere. A machine that
stands varies a little, as its instruments do, or says one value nearer to 0 than at work, such as 0 or its instrument's offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.training.far_values import Rest

#: A failed read that is no error code lasts this many readings at most.
SHORT_READINGS = 3
#: Of the values far from the rest for so many readings, this share differs from any one of them if it is a state of a machine.
_STATE_READINGS, _OTHERS_SHARE = 10, 0.1
#: An instrument without anything to measure may be on the other side of 0 by this share of the nearest value at work.
_OFFSET_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Lasting:
    """The values of a sensor [N] far from the rest for longer than failed reads are, on either side of it."""

    low: BoolArray  # [N] below the rest
    high: BoolArray  # [N] above it
    towards_zero: BoolArray  # [N] those of both that are nearer to 0 than the rest

    @property
    def any(self) -> BoolArray:
        """Those on either side [N]."""
        return self.low | self.high

    def is_of_machine(self, values: Float64Array, here: BoolArray) -> bool:
        """Return whether what is at `here` [N], one of the values, lasts mostly, and as it does while a machine stands."""
        if not self.lasts(here):
            return False
        side = self.low if (self.low & here).any() else self.high
        if (self.towards_zero & here).any():
            return True
        others = float(np.mean(values[side] != values[here][0]))
        return longest_run(side) >= _STATE_READINGS and others >= _OTHERS_SHARE

    def lasts(self, here: BoolArray) -> bool:
        """Return whether at least half of what is at `here` [N] is part of it."""
        return bool(2 * np.count_nonzero(self.any & here) >= np.count_nonzero(here))


def lasting(values: Float64Array, is_code: BoolArray, rest: Rest) -> Lasting:
    """Find what lasts in the values [N] of a sensor in order of time; missing ones and error codes do not interrupt it."""
    usable = np.flatnonzero(~np.isnan(values) & ~is_code)
    sides = []
    for beyond in (values[usable] < rest.low, values[usable] > rest.high):
        mask = np.zeros(len(values), np.bool_)
        mask[usable] = _in_long_runs(beyond)
        sides.append(mask)
    low, high = sides
    edge = rest.low if rest.low > 0 else rest.high if rest.high < 0 else np.nan  # the rest is on both sides of 0
    towards_zero = (low if edge > 0 else high) & (values * np.sign(edge) >= -_OFFSET_SHARE * abs(edge))
    return Lasting(low, high, towards_zero)


def longest_run(mask: BoolArray) -> int:
    """Return the length of the longest run of a mask."""
    first, last = _runs(mask)
    return int((last - first).max(initial=0))


def are_short(mask: BoolArray, share: float) -> bool:
    """Return whether at least this share of the runs of a mask are no longer than a failed read."""
    first, last = _runs(mask)
    return bool(np.count_nonzero(last - first <= SHORT_READINGS) >= share * len(first))


def _in_long_runs(mask: BoolArray) -> BoolArray:
    first, last = _runs(mask)
    long = last - first > SHORT_READINGS
    steps = np.zeros(len(mask) + 1, np.int64)
    steps[first[long]], steps[last[long]] = 1, -1
    return np.asarray(np.cumsum(steps)[:-1] > 0)


def _runs(mask: BoolArray) -> tuple[Int64Array, Int64Array]:
    """Return where the runs of a mask begin, and behind their ends."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
