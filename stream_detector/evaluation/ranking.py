"""How well a score ranks anomalous rows before normal ones; no threshold is involved.

VUS-PR is the volume under the surface of precision and recall over thresholds and label tolerances (Paparrizos et al.,
"Volume Under the Surface", VLDB 2022), in the form that the TSB-AD benchmark publishes ("opt", 250 thresholds).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Float64Array, Int64Array

#: Thresholds of a curve, at evenly spaced ranks of the score.
THRESHOLDS = 250
_FAR = 2**40  # rows; further away than any


def lowest_where_absent(scores: Float64Array) -> Float64Array:
    """Return the scores with NaN replaced by the lowest there is (0 if there is none): what is not scored ranks last."""
    absent = np.isnan(scores)
    lowest = 0.0 if absent.all() else scores[~absent].min()
    return np.where(absent, lowest, scores)


def average_precision(labels: BoolArray, scores: Float64Array) -> float:
    """Return AUC-PR as average precision: the mean over anomalous rows of the precision at their score.

    Labels and scores are [N], without NaN; some label must be True. Rows of equal score are passed together.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(labels[order])[last_of_equals]
    precision = found / (last_of_equals + 1)
    return float(np.diff(found, prepend=0) @ precision / found[-1])


def vus_pr(labels: BoolArray, scores: Float64Array, window: int) -> float:
    """Return VUS-PR: the mean, over tolerances of 0, 1 .. `window` rows, of the area under precision and recall.

    Labels and scores are [N], without NaN, in the order of time; some label must be True. With a tolerance of w, rows up to
    w // 2 before and after an event count as anomalous by sqrt(1 - distance / w), summed up over events to at most 1;
    and recall is multiplied by the share of events, so extended and joined where they then meet, that are found at all.
    """
    events = find_segments(labels)
    curve = _Curve.of(labels, scores)
    near = _Near.of(labels, events, window // 2)
    passes = np.searchsorted(-curve.thresholds, -scores[near.positions], side="left")  # at which threshold each does first
    areas = [_area(curve, near.credit(width), passes, _peaks(scores, events, width // 2)) for width in range(window + 1)]
    return float(np.mean(areas))


@dataclass(frozen=True, slots=True)
class _Curve:
    """The thresholds [K], falling, and what exceeds or equals each."""

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
    """The normal rows near events [M], with their distances in rows to the nearest two."""

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
        """Return how anomalous each row is [M], from 0 to 1, at a tolerance.

        Within reach a single event gives at least sqrt(1/2), so two give 1.
        """
        reach = width // 2
        single = np.sqrt(np.maximum(1.0 - self.nearest / max(width, 1), 0.0))
        return np.where(self.second <= reach, 1.0, np.where(self.nearest <= reach, single, 0.0))


def _area(curve: _Curve, credit: Float64Array, passes: Int64Array, peaks: Float64Array) -> float:
    """Return the area under precision and recall at one tolerance, by steps as in average precision."""
    extra = np.cumsum(np.bincount(passes, weights=credit, minlength=len(curve.thresholds)))
    found = curve.found + extra
    existence = _at_least(np.sort(peaks), curve.thresholds) / len(peaks)
    recall = np.minimum(found / (curve.anomalous + extra / 2.0), 1.0) * existence
    return float(np.diff(recall, prepend=0.0) @ (found / curve.passed))


def _peaks(scores: Float64Array, events: Int64Array, reach: int) -> Float64Array:
    """Return the highest score of each event, extended by `reach` rows and joined with those that it then overlaps."""
    starts = np.maximum(events[:, 0] - reach, 0)
    stops = np.minimum(events[:, 1] + reach, len(scores))
    apart = stops[:-1] <= starts[1:]
    bounds = np.stack([np.append(starts[:1], starts[1:][apart]), np.append(stops[:-1][apart], stops[-1:])], axis=1).ravel()
    within = bounds[:-1] if bounds[-1] == len(scores) else bounds
    return np.maximum.reduceat(scores, within)[::2]


def _at_least(rising: Float64Array, thresholds: Float64Array) -> Int64Array:
    """Return how many of the sorted values reach each threshold."""
    return len(rising) - np.searchsorted(rising, thresholds, side="left")
