"""Injects faults into healthy readings of one sensor and records the truth about them.

The kinds are those of `simulate`, here made from any data. Sizes are in spreads: standard deviations of the feature in healthy
data. They are drawn so that faults are neither obvious nor invisible. A fault that would hardly change the readings, such as a
stuck value in a flat stretch, is skipped. Missing values stay missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.gate.fault_kinds import CHANGED_PERIOD, EFFECTS, LOST_CORRELATION, FaultSite, draw_size
from stream_detector.missing_values import forward_fill
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: Smallest mean change of a fault, in spreads; smaller for a period, which may be a small part of a feature's variation.
MINIMUM_CHANGE, MINIMUM_CHANGE_OF_PERIOD = 0.2, 0.05
#: Smallest absolute (Pearson) correlation with another feature that a fault can break.
MINIMUM_CORRELATION = 0.3
#: Smallest correlation of a feature with its own previous value for it to have a course, whose period a fault can change.
MINIMUM_AUTOCORRELATION = 0.3


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """The truth: which features are at fault in which rows."""

    kind: str  # one of KINDS
    features: tuple[int, ...]  # positions
    start: int  # first row
    end: int  # the row after the last
    size: float  # in spreads; changed_period: factor of the speed; 0 where the kind has none


@dataclass(frozen=True, slots=True)
class HealthyRun:
    """Healthy readings of one sensor without a gap in time, and which faults they can have. N rows, F features."""

    values: Float64Array  # [N, F] in the features' units; NaN = missing
    filled: Float64Array  # [N, F] a missing value is the last before it, else the next; NaN only if all are missing
    spread: Float64Array  # [F] in the features' units
    is_scored: BoolArray  # [F]
    is_related: BoolArray  # [F] correlated with another feature
    has_course: BoolArray  # [F] correlated with its own previous value

    @classmethod
    def of(cls, values: Float64Array, spread: Float64Array, is_scored: BoolArray) -> HealthyRun:
        """Analyse values [N, F] (NaN: missing), N at least 2. `spread` [F] is of the healthy sensor, 0 if constant."""
        filled = _filled(values)
        centered = np.nan_to_num(filled - filled.mean(axis=0))
        lengths = np.sqrt((centered**2).sum(axis=0))
        lengths[lengths == 0.0] = np.inf  # a constant feature is correlated with nothing
        correlations = np.abs(centered.T @ centered / np.outer(lengths, lengths))
        np.fill_diagonal(correlations, 0.0)
        course = (centered[1:] * centered[:-1]).sum(axis=0) / lengths**2
        related = correlations.max(axis=0) >= MINIMUM_CORRELATION
        return cls(values, filled, spread, is_scored, related, course >= MINIMUM_AUTOCORRELATION)

    def candidates(self, kind: str) -> Int64Array:
        """Return the features that can have this kind of fault: scored, not constant, with the property that it breaks."""
        possible = self.is_scored & (self.spread > 0.0)
        if kind == LOST_CORRELATION:
            possible = possible & self.is_related
        elif kind == CHANGED_PERIOD:
            possible = possible & self.has_course
        return np.flatnonzero(possible)

    def most_features(self) -> int:
        """Return the largest number of features in a fault: a quarter of the scored ones, rounded up."""
        return -(-int(self.is_scored.sum()) // 4)


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault, and the readings of its features while it lasts."""

    fault: InjectedFault
    cells: Float64Array  # [end - start, len(features)]; NaN where the healthy value is missing

    def apply(self, values: Float64Array, first_row: int = 0) -> Float64Array:
        """Return a copy of values [n, F], which start at `first_row` of the run, with the fault in them."""
        changed = values.copy()
        changed[self.fault.start - first_row : self.fault.end - first_row, list(self.fault.features)] = self.cells
        return changed


def inject(
    run: HealthyRun,
    kind: str,
    features: tuple[int, ...],
    rows: tuple[int, int],
    generator: np.random.Generator,
    *,
    size: float | None = None,
) -> Injection | None:
    """Make a fault in some features, from the first of `rows` to before the second; the generator draws its course.

    It also draws the size if `size` is None.

    Return None if the fault cannot be made there, or would change a feature by less than the minimum on average. `features` are
    candidates of the kind, so their spread is positive.
    """
    columns, (start, end) = list(features), rows
    site = FaultSite(run.filled[:, columns], run.spread[columns], start, end)
    made = EFFECTS[kind](site, draw_size(kind, generator) if size is None else size, generator)
    if made is None:
        return None
    after, size = made
    healthy = run.values[start:end, columns]
    present = ~np.isnan(healthy)
    if not present.any(axis=0).all():
        return None
    change = np.where(present, np.abs(after - healthy), 0.0).sum(axis=0) / present.sum(axis=0) / run.spread[columns]
    if change.min() < (MINIMUM_CHANGE_OF_PERIOD if kind == CHANGED_PERIOD else MINIMUM_CHANGE):
        return None
    return Injection(InjectedFault(kind, features, start, end, size), np.where(present, after, np.nan))


def _filled(values: Float64Array) -> Float64Array:
    """Return values [N, F] with each missing one replaced by the last before it, else the first after it."""
    present = ~np.isnan(values)
    filled = forward_fill(values, present)
    return np.where(np.isnan(filled), forward_fill(values[::-1], present[::-1])[::-1], filled)
