"""Measures how well a score detects the faults of trials, and by how much one score is better than another.

The quality on one trial is its average precision (AUC-PR). That ranks the rows of one sensor only, so it does not depend on
how the score's scale differs between sensors. It is averaged over the trials of each kind of fault, then over the kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stream_detector.evaluation.ranking import average_precision
from stream_detector.gate.trials import Trials
from stream_detector.readings import BoolArray, Float64Array


@dataclass(frozen=True, slots=True)
class Gain:
    """A mean difference of average precision, and its standard error; inf with too few trials to estimate it."""

    mean: float
    standard_error: float


def comparable_rows(trials: Trials, scores: Mapping[str, Float64Array]) -> BoolArray:
    """Return the judged rows [K, L] that every scorer has scored (not NaN)."""
    rows = trials.is_judged.copy()
    for of_scorer in scores.values():
        rows &= ~np.isnan(of_scorer)
    return rows


def precisions(trials: Trials, scores: Float64Array, rows: BoolArray) -> Float64Array:
    """Return the average precision [K] of scores [K, L] on these rows; NaN unless they are both faulty and healthy."""
    found = np.full(len(trials), np.nan)
    for number, (label, score, counted) in enumerate(zip(trials.is_faulty, scores, rows, strict=True)):
        label_counted = label[counted]
        if label_counted.any() and not label_counted.all():
            found[number] = average_precision(label_counted, score[counted])
    return found


def mean_over_kinds(trials: Trials, of_trials: Float64Array) -> float:
    """Return the mean over kinds of the mean over their trials [K], ignoring NaN; NaN without any other value."""
    means = [by_kind.mean() for by_kind in _by_kind(trials, of_trials)]
    return float(np.mean(means)) if means else np.nan


def paired_gain(trials: Trials, precision: Float64Array, other: Float64Array) -> Gain:
    """Return by how much the first average precision [K] exceeds the other [K], paired by trial.

    The standard error assumes the same variance within each kind. It counts only as many independent trials as fit side by side
    in the data: on a short series, a hundred faults are still injected into the same few readings.
    """
    differences = _by_kind(trials, precision - other)
    counts = np.array([len(by_kind) for by_kind in differences])
    degrees_of_freedom = int(counts.sum()) - len(counts)
    if degrees_of_freedom < 1:
        return Gain(mean_over_kinds(trials, precision - other), np.inf)
    variance = sum(float(((by_kind - by_kind.mean()) ** 2).sum()) for by_kind in differences) / degrees_of_freedom
    overlap = max(int(counts.sum()) / max(trials.stretches, 1), 1.0)
    error = float(np.sqrt(overlap * variance * (1.0 / counts).sum())) / len(counts)
    return Gain(mean_over_kinds(trials, precision - other), error)


def roc_auc(labels: BoolArray, scores: Float64Array) -> float:
    """Return the chance that a faulty row scores above a healthy one, ties counting half; NaN without both.

    Labels and scores are [N], without NaN.
    """
    healthy, faulty = np.sort(scores[~labels]), scores[labels]
    if not len(healthy) or not len(faulty):
        return np.nan
    below, up_to = np.searchsorted(healthy, faulty, "left"), np.searchsorted(healthy, faulty, "right")
    return float((below + up_to).mean() / (2.0 * len(healthy)))


def _by_kind(trials: Trials, of_trials: Float64Array) -> list[Float64Array]:
    """Return the values other than NaN by kind, for the kinds that have any."""
    found = [of_trials[trials.of_kind(kind)] for kind in trials.kinds()]
    return [known for by_kind in found if len(known := by_kind[~np.isnan(by_kind)])]
