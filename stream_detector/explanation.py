"""What a scorer says beside the score."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.readings import BoolArray, Float32Array


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a window scored as it did. T steps, F features."""

    attention: Float32Array  # [T] what the encoder read, oldest first; sums to 1
    expected: Float32Array  # [F] the model's value for the newest step, in the features' own units
    feature_share: Float32Array  # [F] share of the score by feature; sums to 1
    step_share: Float32Array  # [T] share of the score by step, oldest first; sums to 1
    imputed: BoolArray  # [F] the newest step's value was missing and filled in
