"""Why a window is surprising: what a scorer says beside the errors, and the shares of the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import BoolArray, Float32Array, Float64Array


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a reading scored as it did. M members, T steps, F features."""

    attention: Float32Array  # [T] see WindowErrors
    expected: Float32Array  # [F] what the newest step was expected to be, in the features' own units
    feature_share: Float32Array  # [F] share of the surprise by feature; sums to 1
    step_share: Float32Array  # [T] share of the surprise by step, oldest first; sums to 1
    member_share: Float32Array  # [M] share of the surprise by member; sums to 1
    imputed: BoolArray  # [F] the newest step's value was missing and filled in


def explain(errors: WindowErrors, surprises: Float64Array) -> Explanation:
    """Share a reading's surprise out: to the members [M] by theirs, and a member's to its features and steps by its errors."""
    total = surprises.sum()
    member_share = surprises / total if total > 0 else np.full(len(surprises), 1.0 / len(surprises))
    return Explanation(
        attention=errors.attention,
        expected=errors.expected[-1],
        feature_share=(member_share @ errors.feature_share).astype(np.float32),
        step_share=(member_share @ errors.step_share).astype(np.float32),
        member_share=member_share.astype(np.float32),
        imputed=errors.imputed,
    )
