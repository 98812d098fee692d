"""How much one member weighs in the score beside the others, by the trials: the autoencoder earns its place, or loses it.

The score is a weighted mean of the members' surprises. One member has a quarter of the weight, which is what served best on
public series (docs/quality.md), or another share, if the faults of the trials are found better that way: more where it is the
better part, nothing where it does harm. The others share the rest equally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.gate.ranking_quality import comparable_rows, mean_over_kinds, paired_gain, precisions
from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array

USUAL_SHARE = 0.25
SHARES = (0.0, USUAL_SHARE, 0.5, 0.75)
#: What another share than the usual one must gain, in mean AUC-PR.
SMALLEST_GAIN = 0.01


@dataclass(frozen=True, slots=True)
class Emphasis:
    """The share of a member in the score, and what it is worth there."""

    member: str
    share: float  # 0: left out
    auc_pr_by_share: dict[str, float]  # mean AUC-PR of the score, by the shares that were tried; empty without trials
    gain: float | None  # of mean AUC-PR against the score without the member; None without trials
    standard_error: float | None  # of that

    def weights(self, members: Sequence[str]) -> Float64Array:
        """Return the members' weights [M], which sum to 1."""
        return _weights(members, self.member, self.share)

    def as_json(self) -> dict[str, Any]:
        """Return it for the training report."""
        return asdict(self)


def choose_share(trials: Trials, surprises: Float64Array, members: Sequence[str], member: str) -> Emphasis:
    """Choose the share of one of several members from their surprises [K, L, M] on trials (NaN: not scored)."""
    rows = comparable_rows(trials, {name: surprises[:, :, position] for position, name in enumerate(members)})
    found = {share: precisions(trials, (surprises * _weights(members, member, share)).sum(axis=2), rows) for share in SHARES}
    quality = {share: mean_over_kinds(trials, of_trials) for share, of_trials in found.items()}
    if not np.isfinite(quality[USUAL_SHARE]):
        return Emphasis(member, USUAL_SHARE, {}, None, None)
    best = max(quality, key=lambda share: quality[share])
    share = best if quality[best] - quality[USUAL_SHARE] > SMALLEST_GAIN else USUAL_SHARE
    worth = paired_gain(trials, found[share], found[0.0])
    error = worth.standard_error if np.isfinite(worth.standard_error) else None
    return Emphasis(member, share, {f"{share:g}": value for share, value in quality.items()}, worth.mean, error)


def _weights(members: Sequence[str], member: str, share: float) -> Float64Array:
    others = (1.0 - share) / (len(members) - 1)
    return np.array([share if name == member else others for name in members])
