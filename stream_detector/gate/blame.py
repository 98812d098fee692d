"""Does the explanation blame the right features? Counted on faults whose features are known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np

from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array


@dataclass(frozen=True, slots=True)
class Blame:
    """How often a faulty feature is the most blamed one, or among the three most blamed.

    By chance: if features were blamed in random order. With few features that is most of the time, so compare.
    """

    faults: int  # counted: those with an explained row
    first: float | None  # share of the faults; None without any
    first_by_chance: float | None
    first_three: float | None
    first_three_by_chance: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the counts for the training report."""
        return asdict(self)


def judge_blame(trials: Trials, shares: Float64Array, scored_features: int) -> Blame:
    """Judge feature shares [R, F] of the R rows in faults, in the order of numpy.nonzero(trials.inside).

    A row of NaN is not explained and does not count (so the row of the highest score may be explained alone); a fault is
    judged by the mean of its explained rows. `scored_features` is the number of features that can be blamed.
    """
    owners = np.nonzero(trials.inside)[0]
    explained = ~np.isnan(shares).any(axis=1)
    hits = []
    for number in np.unique(owners[explained]).tolist():
        blamed = np.argsort(-shares[(owners == number) & explained].mean(axis=0), kind="stable")
        faulty = trials.faults[number].features
        chances = (chance_of_a_hit(scored_features, len(faulty), looks) for looks in (1, 3))
        hits.append([bool(np.isin(blamed[:looks], faulty).any()) for looks in (1, 3)] + list(chances))
    if not hits:
        return Blame(0, None, None, None, None)
    first, first_three, first_by_chance, first_three_by_chance = np.mean(np.array(hits, dtype=np.float64), axis=0).tolist()
    return Blame(len(hits), first, first_by_chance, first_three, first_three_by_chance)


def chance_of_a_hit(features: int, faulty: int, looks: int) -> float:
    """Return the chance that so many features, drawn without replacement, hold a faulty one."""
    return 1.0 - comb(features - faulty, looks) / comb(features, min(looks, features))
