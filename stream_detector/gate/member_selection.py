"""Which members of a model take part in its score: those without which the faults of the trials are not found better.

The fused score is the mean of the members' surprises. Members are left out one at a time, the worst first, and only for a
gain that is more than chance: what merely does no good stays, because the trials do not show every fault there will be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.gate.ranking_quality import Gain, comparable_rows, mean_over_kinds, paired_gain, precisions
from stream_detector.gate.trials import Trials
from stream_detector.readings import BoolArray, Float64Array

#: What leaving a member out must gain: in mean AUC-PR, and in standard errors of the gain. On labelled series, leaving
#: members out for smaller gains on injected faults found less of the real ones (docs/quality.md).
SMALLEST_GAIN, SMALLEST_GAIN_ERRORS = 0.02, 2.0
FEWEST_MEMBERS = 2


@dataclass(frozen=True, slots=True)
class Member:
    """What the trials say of a member."""

    name: str
    kept: bool
    alone: float | None  # mean AUC-PR of its own surprise; None without trials
    gain_without: float | None  # mean AUC-PR gained by leaving it out, of those left when it was last looked at
    standard_error: float | None  # of that; None also where there are too few trials


@dataclass(frozen=True, slots=True)
class Selection:
    """The members that take part."""

    members: tuple[Member, ...]  # [M] in the order given
    auc_pr_of_all: float | None  # mean AUC-PR of all members fused
    auc_pr: float | None  # of those kept

    @property
    def kept(self) -> BoolArray:
        """Which members are kept [M]."""
        return np.array([member.kept for member in self.members])

    def as_json(self) -> dict[str, Any]:
        """Return the selection for the training report."""
        return asdict(self)


def select_members(trials: Trials, surprises: Float64Array, names: Sequence[str]) -> Selection:
    """Choose from the members' surprises [K, L, M] on trials (-ln of a tail probability; NaN: not scored) by leave-one-out.

    Only rows that all members have scored count. At least FEWEST_MEMBERS are kept, and without trials all of them.
    """
    by_member = {name: surprises[:, :, position] for position, name in enumerate(names)}
    judge = _Judge(trials, surprises, comparable_rows(trials, by_member))
    kept = list(range(len(names)))
    gains: dict[int, Gain] = {}
    while len(kept) > 1:
        together = judge.precisions(kept)
        found = {position: paired_gain(trials, judge.precisions(_without(kept, position)), together) for position in kept}
        gains.update(found)
        worst = max(found, key=lambda position: found[position].mean)
        if len(kept) <= FEWEST_MEMBERS or not _is_more_than_chance(found[worst]):
            break
        kept.remove(worst)
    members = [
        Member(
            name,
            position in kept,
            _known(judge.quality([position])),
            *((_known(gains[position].mean), _known(gains[position].standard_error)) if position in gains else (None, None)),
        )
        for position, name in enumerate(names)
    ]
    return Selection(tuple(members), _known(judge.quality(list(range(len(names))))), _known(judge.quality(kept)))


@dataclass(frozen=True, slots=True)
class _Judge:
    trials: Trials
    surprises: Float64Array  # [K, L, M]
    rows: BoolArray  # [K, L] that count

    def precisions(self, members: Sequence[int]) -> Float64Array:
        """Return the average precision [K] of some members fused."""
        return precisions(self.trials, self.surprises[:, :, members].mean(axis=2), self.rows)

    def quality(self, members: Sequence[int]) -> float:
        return mean_over_kinds(self.trials, self.precisions(members))


def _without(members: Sequence[int], member: int) -> list[int]:
    return [other for other in members if other != member]


def _is_more_than_chance(gain: Gain) -> bool:
    return gain.mean > max(SMALLEST_GAIN, SMALLEST_GAIN_ERRORS * gain.standard_error)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
