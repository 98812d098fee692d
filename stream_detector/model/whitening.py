"""From a window's reconstruction error per feature to its score.

    e_f   = mean over the window's present rows of the squared error of feature f (scaled units)
    b_f   = mean of e_f on the calibration part, at least 5 % of the mean of b
    score = mean of the ceil(F/4) largest e_f / b_f

A score of about 1 is a window reconstructed as well as is usual. The largest quarter, because most faults show in a few
features. F counts the scored features: context features (commands, flags) are inputs of the network and never scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.tensors import Namespace, Tensor
from stream_detector.readings import BoolArray, Float32Array

#: No feature counts as more predictable than this share of the mean error, else its slightest error would rule the score.
SMALLEST_SHARE = 0.05
#: Keeps the ratio finite for data that is reconstructed perfectly.
SMALLEST_ERROR = 1.0e-8


@dataclass(frozen=True, slots=True)
class Whitening:
    """What error is usual for each feature, and which features are scored."""

    baseline: Float32Array  # [F] b_f > 0
    scored: BoolArray  # [F] False: context

    @property
    def largest(self) -> int:
        """How many features make up the score."""
        return -(-int(self.scored.sum()) // 4)

    def ratios(self, errors: Tensor, seen: Tensor, xp: Namespace = np) -> Tensor:
        """Return e_f / b_f [N, F], 0 where not scored or not seen. `seen` [N, F]: the feature has a value in the window."""
        return xp.where(self._counts(seen, xp), errors / self.baseline, 0.0)

    def score(self, errors: Tensor, seen: Tensor, xp: Namespace = np) -> Tensor:
        """Return scores [N] of errors e_f [N, F]; NaN where no scored feature is seen. `xp` is numpy or keras.ops."""
        seen_count = xp.sum(xp.where(self._counts(seen, xp), np.float32(1.0), np.float32(0.0)), axis=-1)
        top = xp.sort(self.ratios(errors, seen, xp), axis=-1)[..., -self.largest :]
        divisor = xp.clip(seen_count, np.float32(1.0), np.float32(self.largest))
        return xp.where(seen_count > 0, xp.sum(top, axis=-1) / divisor, np.float32(np.nan))

    def _counts(self, seen: Tensor, xp: Namespace) -> Tensor:
        return xp.logical_and(seen, self.scored)


def fit_whitening(errors: Float32Array, seen: BoolArray, scored: BoolArray) -> Whitening:
    """Fit on errors e_f [N, F] of the calibration part. A feature never seen there gets the mean of the others."""
    count = seen.sum(0)
    mean = np.where(seen, errors, 0.0).sum(0, dtype=np.float64) / np.maximum(count, 1)
    known = scored & (count > 0)
    typical = float(mean[known].mean()) if known.any() else 1.0
    mean = np.where(known, mean, typical)
    return Whitening(np.maximum(mean, max(SMALLEST_SHARE * typical, SMALLEST_ERROR)).astype(np.float32), scored)
