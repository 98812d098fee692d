"""Measures how well a score ranks anomalous rows above normal ones, independent of any threshold.

VUS-PR is the volume under the surface of precision and recall over thresholds and label tolerances (Paparrizos et al.,
"Volume Under the Surface", VLDB 2022), computed as in the TSB-AD benchmark ("opt", 250 thresholds).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: Thresholds of a curve, at evenly spaced ranks of the score.
THRESHOLDS = 250
_FAR = 2**40  # rows; further than any distance


def lowest_where_absent(scores: Float64Array) -> Float64Array:
    """Replace NaN by the lowest score (0 if all are NaN), so that unscored rows rank last."""
    absent = np.isnan(scores)
    lowest = 0.0 if absent.all() else scores[~absent].min()
    return np.where(absent, lowest, scores)


def average_precision(labels: BoolArray, scores: Float64Array) -> float:
    """Return AUC-PR as average precision: the mean over anomalous rows of the precision at their score.

    Labels and scores are [N], without NaN; at least one label is True. Rows of equal score count as one step.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(labels[order])[last_of_equals]
    precision = found / (last_of_equals + 1)
    return float(np.diff(found, prepend=0) @ precision / found[-1])


def vus_pr(labels: BoolArray, scores: Float64Array, window: int) -> float:
    """Return VUS-PR: the mean, over tolerances of 0, 1 .. `window` rows, of the area under precision and recall.

    Labels and scores are [N], without NaN, in time order; at least one label is True. With a tolerance of w, rows up to
    w // 2 before and after an event count as anomalous by sqrt(1 - distance / w), summed over events and capped at 1.
    Recall is multiplied by the share of events found at all, after extending events by w // 2 and joining those that meet.
    """
    events = find_segments(labels)
    curve = _Curve.of(labels, scores)
    near = _Near.of(labels, events, window // 2)
    passes = np.searchsorted(-curve.thresholds, -scores[near.positions], side="left")  # the first that each passes
    areas = [_area(curve, near.credit(width), passes, _peaks(scores, events, width // 2)) for width in range(window + 1)]
    return float(np.mean(areas))


@dataclass(frozen=True, slots=True)
class _Curve:
    """The thresholds [K], descending, and how many rows reach each."""

    thresholds: Float64Array
    passed: Int64Array  # [K] rows
    found: Int64Array  # [K] anomalous rows
    anomalous: int  # rows

    @classmethod
    def of(cls, labels: BoolArray, scores: Float64Array) -> _Curve:
        rising = np.sort(scores)
        thresholds = rising[::-1][np.linspace(0, len(scores) - 1, THRESHOLDS).astype(np.int64)]
        inside = np.sort(scores[labels])
        return cls(thresholds, _at_least(rising, thresholds), _at_least(inside, thresholds), len(inside))


@dataclass(frozen=True, slots=True)
class _Near:
    """The M normal rows near events, with their distances in rows to the two nearest events."""

    positions: Int64Array
    nearest: Int64Array
    second: Int64Array

    @classmethod
    def of(cls, labels: BoolArray, events: Int64Array, reach: int) -> _Near:
        starts = np.concatenate([events[:, 0], [_FAR, _FAR]])
        lasts = np.concatenate([[-_FAR, -_FAR], events[:, 1] - 1])
        positions = np.flatnonzero(~labels)
        following = np.searchsorted(events[:, 0], positions)
        distances = np.stack(
            [
                positions - lasts[following + 1],
                positions - lasts[following],
                starts[following] - positions,
                starts[following + 1] - positions,
            ]
        )
        distances = np.sort(distances, axis=0)[:2]
        close = distances[0] <= reach
        return cls(positions[close], distances[0, close], distances[1, close])

    def credit(self, width: int) -> Float64Array:
        """Return how far each row [M] counts as anomalous, from 0 to 1, at a tolerance of `width`.

        An event within reach contributes at least sqrt(1/2), so two events always reach the cap of 1.
        """
        reach = width // 2
        single = np.sqrt(np.maximum(1.0 - self.nearest / max(width, 1), 0.0))
        return np.where(self.second <= reach, 1.0, np.where(self.nearest <= reach, single, 0.0))


def _area(curve: _Curve, credit: Float64Array, passes: Int64Array, peaks: Float64Array) -> float:
    """Return the area under the precision-recall curve at one tolerance, as a step function as in average precision."""
    extra = np.cumsum(np.bincount(passes, weights=credit, minlength=len(curve.thresholds)))
    found = curve.found + extra
    existence = _at_least(np.sort(peaks), curve.thresholds) / len(peaks)
    recall = np.minimum(found / (curve.anomalous + extra / 2.0), 1.0) * existence
    return float(np.diff(recall, prepend=0.0) @ (found / curve.passed))


def _peaks(scores: Float64Array, events: Int64Array, reach: int) -> Float64Array:
    """Return the highest score of each event, after extending events by `reach` rows and joining those that overlap."""
    starts = np.maximum(events[:, 0] - reach, 0)
    stops = np.minimum(events[:, 1] + reach, len(scores))
    apart = stops[:-1] <= starts[1:]
    bounds = np.stack([np.append(starts[:1], starts[1:][apart]), np.append(stops[:-1][apart], stops[-1:])], axis=1).ravel()
    within = bounds[:-1] if bounds[-1] == len(scores) else bounds
    return np.maximum.reduceat(scores, within)[::2]


def _at_least(rising: Float64Array, thresholds: Float64Array) -> Int64Array:
    """Return how many of the ascending values reach each threshold."""
    return len(rising) - np.searchsorted(rising, thresholds, side="left")
