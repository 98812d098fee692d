"""Shows what the network reads: what it expects of windows from which some steps were taken away.

Implements evaluation.attention_check.Expecter. Not used in service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.missing_features import Imputation
from stream_detector.model.tiles import KERNEL_ROWS
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class NetworkReading:
    """A network whose inputs can be hidden step by step."""

    autoencoder: MaskedAutoencoder
    imputation: Imputation

    @property
    def hidden_rows(self) -> int:
        """The number H of the newest rows, which the network predicts and never reads."""
        return self.autoencoder.hidden_rows

    def expect_without(self, windows: Float32Array, scales: Scales, steps: BoolArray) -> tuple[Float32Array, Float32Array]:
        """Return centre and spread [N, H, S] of the newest rows' S scored features, in scaled units; N at least 1.

        Hides the True `steps` [N, T] of raw windows [N, T, F], NaN = missing, as the newest rows are hidden.
        """
        # All calls have one shape, so that the network is compiled once.
        starts = range(0, len(windows), KERNEL_ROWS)
        chosen = [np.minimum(np.arange(start, start + KERNEL_ROWS), len(windows) - 1) for start in starts]
        parts = [self._expect(windows[rows], scales.take(rows), steps[rows]) for rows in chosen]
        centre, spread = (np.concatenate(arrays)[: len(windows)] for arrays in zip(*parts, strict=True))
        return centre, spread

    def _expect(self, windows: Float32Array, scales: Scales, steps: BoolArray) -> tuple[Float32Array, Float32Array]:
        filled, present = self.imputation.fill(windows, scales)
        read = Windows.of(filled, present, scales.location, scales.deviation)
        carried = replace(read, scaled=_carried(np.array(read.scaled), steps))
        centre, spread, _ = self.autoencoder.expect(carried, steps.astype(np.float32))
        scored = self.autoencoder.scored
        return np.array(centre)[:, :, scored], np.array(spread)[:, :, scored]


def _carried(scaled: Float32Array, steps: BoolArray) -> Float32Array:
    """Return windows [N, T, F] whose True steps [N, T] repeat the last other step before them, or the first one after."""
    source = np.maximum.accumulate(np.where(steps, -1, np.arange(steps.shape[1])), axis=1)
    source = np.where(source < 0, steps.argmin(axis=1, keepdims=True), source)
    return np.take_along_axis(scaled, source[:, :, np.newaxis], axis=1)
