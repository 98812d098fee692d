"""How often explanations attribute a fault to a feature that is at fault, counted on injected faults."""

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

    By chance: the same for shares in random order. With few features chance is often right, so compare the two.
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
    """Return the row [K] with the highest score of each fault, by scores [K, L] (NaN: not scored); -1 if no row is scored.

    That row is explained, as an event explains the peak of its incident.
    """
    of_faults = np.where(trials.is_faulty & ~np.isnan(scores), scores, -np.inf)
    scored = np.isfinite(of_faults).any(axis=1)
    return np.where(scored, of_faults.argmax(axis=1) if of_faults.size else -1, -1)


def attribution_accuracy(trials: Trials, shares: Float64Array, scored_features: int) -> AttributionAccuracy:
    """Compare one explanation of each fault, feature shares [K, F] (a row of NaN: no explanation), with its features.

    Any of several features at fault counts as right. `scored_features`: how many features can have a share.
    """
    hits, chances = [], []
    for fault, of_fault in zip(trials.faults, shares, strict=True):
        if np.isnan(of_fault).any():
            continue
        ranked = np.argsort(-of_fault, kind="stable")
        hits.append([bool(np.isin(ranked[:looks], fault.features).any()) for looks in (1, 3)])
        chances.append([chance_of_a_hit(scored_features, len(fault.features), looks) for looks in (1, 3)])
    if not hits:
        return AttributionAccuracy(0, None, None, None, None)
    first, first_three = np.mean(hits, axis=0).tolist()
    first_by_chance, first_three_by_chance = np.mean(chances, axis=0).tolist()
    return AttributionAccuracy(len(hits), first, first_by_chance, first_three, first_three_by_chance)


def chance_of_a_hit(features: int, faulty: int, looks: int) -> float:
    """Return the chance that `looks` features, drawn without replacement, include one at fault."""
    return 1.0 - comb(features - faulty, looks) / comb(features, min(looks, features))
