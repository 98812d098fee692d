"""From a member's error per feature to its one log error.

    e_f   = mean over the rows that the member says something of, and that have a value, of the squared error of feature f
    b_f   = mean of e_f on the calibration part, at least 5 % of the mean of b
    error = log(mean of the ceil(F/4) largest e_f / b_f)

An error of about 0 is usual. The largest quarter, because most faults show in a few features. F counts the scored features:
context features (commands, flags) are inputs of every member and never scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import BoolArray, Float32Array

#: No feature counts as more predictable than this share of the mean error, else its slightest error would rule the score.
SMALLEST_SHARE = 0.05
#: Keeps the ratio finite for data that is reconstructed perfectly.
SMALLEST_ERROR = 1.0e-8
#: Added before the logarithm is taken, so that no error at all has one.
LOG_OFFSET = 1.0e-6


@dataclass(frozen=True, slots=True)
class Whitening:
    """What error is usual for each feature, and which features are scored. M members."""

    baseline: Float32Array  # [M, F] b_f > 0
    scored: BoolArray  # [F] False: context

    @property
    def largest(self) -> int:
        """How many features make up the error."""
        return -(-int(self.scored.sum()) // 4)

    def ratios(self, errors: Tensor, seen: Tensor, xp: Namespace = np) -> Tensor:
        """Return e_f / b_f [N, M, F], 0 where not scored or not seen. `seen` [N, M, F]: there was a value."""
        return xp.where(xp.logical_and(seen, self.scored), errors / self.baseline, 0.0)

    def log_errors(self, errors: Tensor, seen: Tensor, xp: Namespace = np) -> Tensor:
        """Return log errors [N, M] of errors e_f [N, M, F]. `xp` is numpy or keras.ops.

        A member that sees no scored feature says nothing unusual (0); if none sees any, all are NaN.
        """
        counts = xp.logical_and(seen, self.scored)
        seen_count = xp.sum(xp.where(counts, np.float32(1.0), np.float32(0.0)), axis=-1)
        top = xp.sort(self.ratios(errors, seen, xp), axis=-1)[..., -self.largest :]
        mean = xp.sum(top, axis=-1) / xp.clip(seen_count, np.float32(1.0), np.float32(self.largest))
        logs = xp.where(seen_count > 0, xp.log(mean + np.float32(LOG_OFFSET)), np.float32(0.0))
        anything = xp.max(seen_count, axis=-1, keepdims=True) > 0
        return xp.where(anything, logs, np.float32(np.nan))


def fit_whitening(errors: Float32Array, seen: BoolArray, scored: BoolArray) -> Whitening:
    """Fit on errors e_f [N, M, F] of the calibration part. A feature never seen there gets the mean of the others."""
    count = seen.sum(0)
    mean = np.where(seen, errors, 0.0).sum(0, dtype=np.float64) / np.maximum(count, 1)
    known = scored & (count > 0)
    typical = np.where(known, mean, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    typical = np.where(known.any(axis=1), typical, 1.0)[:, np.newaxis]
    mean = np.where(known, mean, typical)
    return Whitening(np.maximum(mean, np.maximum(SMALLEST_SHARE * typical, SMALLEST_ERROR)).astype(np.float32), scored)
