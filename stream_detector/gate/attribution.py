"""Measures, on injected faults, how often explanations rank a feature at fault first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np

from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class AttributionAccuracy:
    """How often a feature at fault has the largest share of the explanation, or one of the three largest.

    By chance: the figure for shares in random order. With few features chance is often right, so compare the two.
    """

    faults: int  # that have an explanation
    first: float | None  # share of these faults; None without any
    first_by_chance: float | None
    first_three: float | None
    first_three_by_chance: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        return asdict(self)


def peak_rows(trials: Trials, scores: Float64Array) -> Int64Array:
    """Return the row [K] in which each fault has its highest score [K, L] (NaN: not scored); -1 if no row is scored.

    That row is explained, as an event explains the peak of its incident.
    """
    of_faults = np.where(trials.is_faulty & ~np.isnan(scores), scores, -np.inf)
    scored = np.isfinite(of_faults).any(axis=1)
    return np.where(scored, of_faults.argmax(axis=1) if of_faults.size else -1, -1)


def attribution_accuracy(trials: Trials, shares: Float64Array, scored_features: int) -> AttributionAccuracy:
    """Compare an explanation of each fault, the feature shares [K, F] (a row of NaN: none), with the features at fault.

    Any of several features at fault counts as right. `scored_features` is the number of features that can have a share.
    """
    hits, chances = [], []
    for fault, of_fault in zip(trials.faults, shares, strict=True):
        if np.isnan(of_fault).any():
            continue
        ranked = np.argsort(-of_fault, kind="stable")
        hits.append([bool(np.isin(ranked[:top], fault.features).any()) for top in (1, 3)])
        chances.append([chance_of_a_hit(scored_features, len(fault.features), top) for top in (1, 3)])
    if not hits:
        return AttributionAccuracy(0, None, None, None, None)
    first, first_three = np.mean(hits, axis=0).tolist()
    first_by_chance, first_three_by_chance = np.mean(chances, axis=0).tolist()
    return AttributionAccuracy(len(hits), first, first_by_chance, first_three, first_three_by_chance)


def chance_of_a_hit(features: int, faulty: int, top: int) -> float:
    """Return the chance that the first `top` of `features`, in random order, include one of the `faulty` ones."""
    return 1.0 - comb(features - faulty, top) / comb(features, min(top, features))
