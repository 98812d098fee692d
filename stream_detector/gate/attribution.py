"""Does the explanation blame the right features? Counted on faults whose features are known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np

from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class Blame:
    """How often a faulty feature is the most blamed one, or among the three most blamed.

    By chance: if features were blamed in random order. With few features that is most of the time, so compare.
    """

    faults: int  # those that are explained
    first: float | None  # share of the faults; None without any
    first_by_chance: float | None
    first_three: float | None
    first_three_by_chance: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the counts for the training report."""
        return asdict(self)


def peak_rows(trials: Trials, scores: Float64Array) -> Int64Array:
    """Return the row [K] of each fault that has its highest score, by scores [K, L] (NaN: not scored); -1 if none has one.

    That is the row to be explained: an incident is shown by its peak.
    """
    inside = np.where(trials.inside & ~np.isnan(scores), scores, -np.inf)
    scored = np.isfinite(inside).any(axis=1)
    return np.where(scored, inside.argmax(axis=1) if inside.size else -1, -1)


def judge_blame(trials: Trials, shares: Float64Array, scored_features: int) -> Blame:
    """Judge one explanation of each fault: feature shares [K, F], a row of NaN where there is none.

    A fault of several features is blamed rightly by any of them. `scored_features` is how many features can be blamed.
    """
    hits, chances = [], []
    for fault, of_fault in zip(trials.faults, shares, strict=True):
        if np.isnan(of_fault).any():
            continue
        blamed = np.argsort(-of_fault, kind="stable")
        hits.append([bool(np.isin(blamed[:looks], fault.features).any()) for looks in (1, 3)])
        chances.append([chance_of_a_hit(scored_features, len(fault.features), looks) for looks in (1, 3)])
    if not hits:
        return Blame(0, None, None, None, None)
    first, first_three = np.mean(hits, axis=0).tolist()
    first_by_chance, first_three_by_chance = np.mean(chances, axis=0).tolist()
    return Blame(len(hits), first, first_by_chance, first_three, first_three_by_chance)


def chance_of_a_hit(features: int, faulty: int, looks: int) -> float:
    """Return the chance that so many features, drawn without replacement, hold a faulty one."""
    return 1.0 - comb(features - faulty, looks) / comb(features, min(looks, features))
