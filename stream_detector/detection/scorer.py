"""The port through which the detector scores windows, and the errors that a model reports. Knows no particular model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class WindowErrors:
    """Where the errors of one window lie. M members, T steps, F features."""

    attention: Float32Array  # [T] weight of each step for the network, oldest first, sum 1; [0] if the network is no member
    expected: Float32Array  # [T, F] mean over the members of the values they expect, in the features' own units
    feature_share: Float32Array  # [M, F] share of each member's error by feature; each row sums to 1
    step_share: Float32Array  # [M, T] share of each member's error by step, oldest first; each row sums to 1
    imputed: BoolArray  # [F] the newest step's value was missing and filled in


class Scorer(Protocol):
    """Scores windows: how badly each of the M members of a model predicts them, on the sensor's own scale.

    A window's result is the same bit for bit, whatever other windows are in the call.
    """

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """Start scoring windows [N, T, F] of raw values, NaN = missing. The arrays must not change until all are scored.

        Return a function that blocks until their log errors [N, M] are known: finite, or NaN for a window whose newest row has
        no value of a scored feature.
        """

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """Return for each window [N, T, F] where its errors lie. Blocks."""
