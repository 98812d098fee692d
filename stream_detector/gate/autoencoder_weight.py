"""Chooses the autoencoder's weight in the score, by how well the score detects the trials' faults at each weight.

The surprise of a reading is a weighted mean of the members' surprises. The autoencoder has a quarter of the weight, the best
share on public series (docs/quality.md), unless another share detects the faults clearly better. The other members divide the
rest equally.

A larger share follows the trials without a jump: from a quarter it goes to a half, and on to three quarters, by as much of each
way as the gain of its end is of the gain that justifies all of it. So two trainings whose trials differ by chance have shares
that differ little; a bar gave one half of the score and the other a quarter.

The network is left out only where it spoils the score, as one does whose fit failed. Trials cannot tell a smaller loss: their
faults are injected, and on public series the network gained where they spoke for a score without it (docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.gate.ranking_quality import comparable_rows, mean_over_kinds, paired_gain, precisions
from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array

USUAL_SHARE = 0.25
SHARES = (0.0, USUAL_SHARE, 0.5, 0.75)
#: Gain in mean AUC-PR that justifies a share of 0, and all of the way from one share to the next larger one.
SMALLEST_GAIN_OF_NONE, FULL_GAIN_OF_MORE = 0.1, 0.005


@dataclass(frozen=True, slots=True)
class AutoencoderWeight:
    """The share of one member, the autoencoder, in the score, and what it contributes."""

    member: str
    share: float  # 0: left out
    auc_pr_by_share: dict[str, float]  # mean AUC-PR of the score for each of SHARES; empty without trials
    gain: float | None  # in mean AUC-PR over the score without the member; None without trials
    standard_error: float | None  # of the gain

    def weights(self, members: Sequence[str]) -> Float64Array:
        """Return the members' weights [M], which sum to 1."""
        return _weights(members, self.member, self.share)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        return asdict(self)


def choose_share(trials: Trials, surprises: Float64Array, members: Sequence[str], member: str) -> AutoencoderWeight:
    """Choose the share of one of several members from their surprises [K, L, M] on trials (NaN: not scored)."""
    rows = comparable_rows(trials, {name: surprises[:, :, position] for position, name in enumerate(members)})

    def found(share: float) -> Float64Array:
        return precisions(trials, (surprises * _weights(members, member, share)).sum(axis=2), rows)

    quality = {share: mean_over_kinds(trials, found(share)) for share in SHARES}
    if not np.isfinite(quality[USUAL_SHARE]):
        return AutoencoderWeight(member, USUAL_SHARE, {}, None, None)
    share = share_of(quality)
    gain = paired_gain(trials, found(share), found(0.0))
    error = gain.standard_error if np.isfinite(gain.standard_error) else None
    return AutoencoderWeight(member, share, {f"{tried:g}": value for tried, value in quality.items()}, gain.mean, error)


def share_of(quality: Mapping[float, float]) -> float:
    """Return the share that the mean AUC-PR at each of SHARES speaks for; 0, or from a quarter to three quarters."""
    none, usual, half, most = (quality[share] for share in SHARES)
    if none > max(half, most) and none - usual > SMALLEST_GAIN_OF_NONE:
        return 0.0
    return USUAL_SHARE * (1.0 + _way(half - max(usual, none)) + _way(most - max(usual, half, none)))


def _way(gain: float) -> float:
    """Return how much of the way to a larger share its gain is worth, from 0 to 1."""
    return min(max(gain / FULL_GAIN_OF_MORE, 0.0), 1.0)


def _weights(members: Sequence[str], member: str, share: float) -> Float64Array:
    others = (1.0 - share) / (len(members) - 1)
    return np.array([share if name == member else others for name in members])
