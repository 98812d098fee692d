"""Chooses the members that take part in a model's score, by how well it detects the trials' faults without each of them.

The surprise of a reading is the mean of the members' surprises. Members are left out one at a time, the worst first, and only
for a gain that is more than chance. A member that merely does not help is kept, because trials do not show every future fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.gate.ranking_quality import Gain, comparable_rows, mean_over_kinds, paired_gain, precisions
from stream_detector.gate.trials import Trials
from stream_detector.readings import BoolArray, Float64Array

#: Gain that justifies leaving a member out: in mean AUC-PR, and in standard errors of the gain. On labelled series, leaving
#: members out for smaller gains on injected faults found fewer real ones (docs/quality.md).
SMALLEST_GAIN, SMALLEST_GAIN_ERRORS = 0.02, 2.0
FEWEST_MEMBERS = 2


@dataclass(frozen=True, slots=True)
class MemberQuality:
    """How well one member detects the trials' faults."""

    name: str
    kept: bool
    alone: float | None  # mean AUC-PR of its own surprise; None without trials
    gain_without: float | None  # mean AUC-PR gained by leaving it out of the members that were left when it was last compared
    standard_error: float | None  # of that gain; None also with too few trials


@dataclass(frozen=True, slots=True)
class MemberSelection:
    """Which members take part in the score."""

    members: tuple[MemberQuality, ...]  # [M] in the order given
    auc_pr_of_all: float | None  # mean AUC-PR of all members together
    auc_pr: float | None  # of the kept ones

    @property
    def kept(self) -> BoolArray:
        """Which members are kept [M]."""
        return np.array([member.kept for member in self.members])

    def as_json(self) -> dict[str, Any]:
        """Return the selection for the training report."""
        return asdict(self)


def select_members(trials: Trials, surprises: Float64Array, names: Sequence[str]) -> MemberSelection:
    """Choose from the members' surprises [K, L, M] on trials (-ln of a tail probability; NaN: not scored) by leave-one-out.

    Only rows that all members have scored count. At least FEWEST_MEMBERS are kept; without trials, all.
    """
    by_member = {name: surprises[:, :, position] for position, name in enumerate(names)}
    fused = _Fused(trials, surprises, comparable_rows(trials, by_member))
    kept = list(range(len(names)))
    gains: dict[int, Gain] = {}
    while len(kept) > 1:
        together = fused.precisions(kept)
        found = {position: paired_gain(trials, fused.precisions(_without(kept, position)), together) for position in kept}
        gains.update(found)
        worst = max(found, key=lambda position: found[position].mean)
        if len(kept) <= FEWEST_MEMBERS or not _is_more_than_chance(found[worst]):
            break
        kept.remove(worst)
    members = [
        MemberQuality(
            name,
            position in kept,
            _known(fused.quality([position])),
            *((_known(gains[position].mean), _known(gains[position].standard_error)) if position in gains else (None, None)),
        )
        for position, name in enumerate(names)
    ]
    return MemberSelection(tuple(members), _known(fused.quality(list(range(len(names))))), _known(fused.quality(kept)))


@dataclass(frozen=True, slots=True)
class _Fused:
    """The mean surprise of some of the members, and how well it detects faults."""

    trials: Trials
    surprises: Float64Array  # [K, L, M]
    rows: BoolArray  # [K, L] that count

    def precisions(self, members: Sequence[int]) -> Float64Array:
        """Return the average precision [K] of the mean surprise of some members."""
        return precisions(self.trials, self.surprises[:, :, members].mean(axis=2), self.rows)

    def quality(self, members: Sequence[int]) -> float:
        return mean_over_kinds(self.trials, self.precisions(members))


def _without(members: Sequence[int], member: int) -> list[int]:
    return [other for other in members if other != member]


def _is_more_than_chance(gain: Gain) -> bool:
    return gain.mean > max(SMALLEST_GAIN, SMALLEST_GAIN_ERRORS * gain.standard_error)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
