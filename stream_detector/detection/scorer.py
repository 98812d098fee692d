"""The port behind which the model scores windows, and what it knows of a window's errors. Knows no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class WindowErrors:
    """What a scorer knows of one window. M members, T steps, F features."""

    attention: Float32Array  # [T] what the encoder read, oldest first; sums to 1, or all 0 without an autoencoder
    expected: Float32Array  # [T, F] the members' mean expectation of each value, in the features' own units
    feature_share: Float32Array  # [M, F] share of each member's error by feature; each row sums to 1
    step_share: Float32Array  # [M, T] share of each member's error by step, oldest first; each row sums to 1
    imputed: BoolArray  # [F] the newest step's value was missing and filled in


class Scorer(Protocol):
    """How badly each of M members of a model errs on a window, on the sensor's own scale.

    A window's result does not depend on which other windows are in the call, bit for bit.
    """

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """Start to score windows [N, T, F] of raw values, NaN = missing. The arrays must not change until all is scored.

        To call what is returned is to wait for their log errors [N, M]: finite, or NaN where all of a window is missing.
        """

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """Say of each window [N, T, F] where its errors lie."""
