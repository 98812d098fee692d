"""Combines a member's errors per feature into one log error.

    e_f   = mean squared error of feature f, over the rows that the member predicts and that have a value
    b_f   = mean of e_f on the calibration part, at least 5 % of the mean of b
    error = log(mean of the ceil(F/4) largest e_f / b_f)

A log error of about 0 is usual. Only the largest quarter counts because most faults show in few features. F is the number of
scored features: context features (commands, flags) are inputs of every member and are never scored.

A lost row, one without any value, counts with an error of b_f: of the 8 rows that a member predicts, the one that came after 7
lost ones counts an eighth, as it does beside 7 usual ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.tensor_types import Namespace, Tensor
from stream_detector.readings import BoolArray, Float32Array

#: Lower limit of b_f as a share of the mean of b: without it, the slightest error of a feature that is predicted almost
#: perfectly would dominate the score.
SMALLEST_SHARE = 0.05
#: Keeps the ratio finite for perfectly reconstructed data.
SMALLEST_ERROR = 1.0e-8
#: Added before taking the logarithm, so that an error of 0 has one.
LOG_OFFSET = 1.0e-6


@dataclass(frozen=True, slots=True)
class ErrorNormalization:
    """The usual error of each member for each feature, and which features are scored. M members."""

    usual_errors: Float32Array  # [M, F] b_f > 0
    scored: BoolArray  # [F] False: context

    @property
    def top_count(self) -> int:
        """How many features, those with the largest ratios, make up the log error."""
        return -(-int(self.scored.sum()) // 4)

    def ratios(self, errors: Tensor, seen: Tensor, xp: Namespace = np) -> Tensor:
        """Return e_f / b_f [N, M, F], 0 where a feature is not scored or not seen.

        `seen` [N, M, F]: the share of the member's rows that were not lost, 0 if it had no value of the feature; a lost row
        counts as usual. `xp` is numpy or keras.ops.
        """
        with_lost = seen * (errors / self.usual_errors) + (1.0 - seen)
        return xp.where(xp.logical_and(seen > 0, self.scored), with_lost, 0.0)

    def log_errors(self, errors: Tensor, seen: Tensor, xp: Namespace = np) -> Tensor:
        """Return log errors [N, M] of errors e_f [N, M, F]; see `ratios`. `xp` is numpy or keras.ops.

        A member that sees no scored feature has the usual error (0); if no member sees any, all are NaN.
        """
        counts = xp.logical_and(seen > 0, self.scored)
        seen_count = xp.sum(xp.where(counts, np.float32(1.0), np.float32(0.0)), axis=-1)
        top = xp.sort(self.ratios(errors, seen, xp), axis=-1)[..., -self.top_count :]
        mean = xp.sum(top, axis=-1) / xp.clip(seen_count, np.float32(1.0), np.float32(self.top_count))
        logs = xp.where(seen_count > 0, xp.log(mean + np.float32(LOG_OFFSET)), np.float32(0.0))
        any_seen = xp.max(seen_count, axis=-1, keepdims=True) > 0
        return xp.where(any_seen, logs, np.float32(np.nan))


def fit_error_normalization(errors: Float32Array, seen: Float32Array, scored: BoolArray) -> ErrorNormalization:
    """Fit to errors e_f [N, M, F] of the calibration part, `seen` as in `ratios`.

    A feature never seen there gets the mean of the others.
    """
    count = (seen > 0).sum(0)
    mean = np.where(seen > 0, errors, 0.0).sum(0, dtype=np.float64) / np.maximum(count, 1)
    known = scored & (count > 0)
    typical = np.where(known, mean, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    typical = np.where(known.any(axis=1), typical, 1.0)[:, np.newaxis]
    mean = np.where(known, mean, typical)
    return ErrorNormalization(np.maximum(mean, np.maximum(SMALLEST_SHARE * typical, SMALLEST_ERROR)).astype(np.float32), scored)
