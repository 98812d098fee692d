"""Explains a score: attributes a window's surprise to the model's members, to features and to time steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stream_detector.detection.acceptance import scored_windows
from stream_detector.detection.scored_readings import Decisions
from stream_detector.detection.scorer import Scorer, WindowErrors
from stream_detector.readings import BoolArray, Float32Array, Float64Array, FloatArray, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a reading scored as it did. M members, T steps, F features."""

    attention: Float32Array  # [T] see WindowErrors
    expected: FloatArray  # [F] values that the model expected at the newest step, in the features' own units
    in_window: FloatArray  # [F] the same as windows hold them: of counters, the expected rises per hour
    feature_share: Float32Array  # [F] share of the surprise by feature; sums to 1
    step_share: Float32Array  # [T] share of the surprise by step, oldest first; sums to 1
    member_share: Float32Array  # [M] share of the members' surprise; sums to 1
    imputed: BoolArray  # [F] the newest step's value was missing and filled in


def explain(errors: WindowErrors, surprises: Float64Array, beyond: tuple[float, int] = (0.0, 0)) -> Explanation:
    """Attribute a reading's surprise to members by their surprises [M], and each member's part to features and steps.

    `beyond` is the surprise of the feature that is beyond its healthy range, and its position: it is that of the newest step.
    """
    total = surprises.sum()
    of_range = beyond[0] / (total + beyond[0]) if beyond[0] > 0 else 0.0
    member_share = surprises / total if total > 0 else np.full(len(surprises), 1.0 / len(surprises))
    return Explanation(
        attention=errors.attention,
        expected=errors.expected[-1],
        in_window=errors.expected[-1],
        feature_share=_with(member_share @ errors.feature_share, of_range, beyond[1]),
        step_share=_with(member_share @ errors.step_share, of_range, -1),
        member_share=member_share.astype(np.float32),
        imputed=errors.imputed,
    )


def _with(shares: Float64Array, share: float, at: int) -> Float32Array:
    """Return shares of which one has this share more, at the cost of all."""
    result = (1.0 - share) * shares
    result[at] += share
    return np.asarray(result, np.float32)


def explain_scored(
    scorer: Scorer, appended: Appended, scales: Scales, decisions: Decisions, positions: Int64Array
) -> list[Explanation | None]:
    """Explain accepted readings [K]; None for one that was not scored."""
    is_scored = ~np.isnan(decisions.scores[positions])
    chosen = positions[is_scored]
    errors = scorer.explain(scored_windows(appended, scales, chosen), scales.take(chosen)) if len(chosen) else []
    explanations = iter(
        [
            replace(explained, expected=appended.in_values(at, errors_of.expected[-1]))
            for errors_of, at in zip(errors, chosen.tolist(), strict=True)
            for explained in [explain(errors_of, decisions.surprises[at], decisions.beyond_at(at))]
        ]
    )
    return [next(explanations) if scored else None for scored in is_scored.tolist()]
