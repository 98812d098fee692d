"""How a member's error is distributed while features are gone: the level and spread of what is left.

Without feature g a member predicts the others worse, or, where g would have contradicted them, better, and its error is the
largest of fewer. Training hides each feature, and pairs of features, in healthy windows, and measures how each member's log
error x moves. For the gone features S of a window

    shift  = sum of a_g over S + sum of a_gh over the pairs of S
    spread = exp(sum of c_g over S + sum of c_gh over the pairs of S), at least 1
    x'     = centre + (x - shift - centre) / spread

so x' is distributed as x is without gone features, and the limit holds. a_g and c_g were measured without g; a_gh and c_gh are
what hiding both adds to the sum. `centre` is the mean log error of healthy windows. A feature that is missing in a share of the
rows that a member reads counts with that share, or with that of the newest eighth of the window if it is larger. Rows before
the window's first are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.model.missing_features import gone_features, only_features
from stream_detector.readings import BoolArray, Float32Array, Int64Array


@dataclass(frozen=True, slots=True)
class MissingLevels:
    """What gone features do to the log errors of M members; F features. The first axis: shift a, then log of the spread c."""

    single: Float32Array  # [2, M, F] of each feature
    pair: Float32Array  # [2, M, F, F] of two together, beyond their sum; symmetric, 0 on the diagonal
    centre: Float32Array  # [M] mean log error of healthy windows
    rows_read: Int64Array  # [M] how many of the newest rows each member reads

    def correct(self, log_errors: Float32Array, windows: Float32Array) -> Float32Array:
        """Return the log errors [N, M] of raw windows [N, T, F] as if no feature were gone; other windows are unchanged."""
        missing = only_features(np.isnan(windows))
        chosen = np.flatnonzero(missing.any(axis=(1, 2)))
        gone = gone_features(~np.isnan(windows[chosen]))
        chosen, gone = chosen[gone.any(axis=1)], gone[gone.any(axis=1)]
        if not len(chosen):
            return log_errors
        begun = np.logical_or.accumulate(~np.isnan(windows[chosen]).all(axis=2), axis=1)
        shares = _shares(missing[chosen], begun, self.rows_read) * gone[:, np.newaxis]
        shift, log_spread = self._sums(shares, np.flatnonzero(gone.any(axis=0)).tolist())
        spread = np.exp(np.maximum(log_spread, np.float32(0.0)))
        corrected = log_errors.copy()
        corrected[chosen] = self.centre + (log_errors[chosen] - shift - self.centre) / spread
        return corrected

    def take(self, kept: BoolArray) -> MissingLevels:
        """Return those of some of the members [M]."""
        return MissingLevels(self.single[:, kept], self.pair[:, kept], self.centre[kept], self.rows_read[kept])

    def _sums(self, shares: Float32Array, used: list[int]) -> tuple[Float32Array, Float32Array]:
        """Return shift and log spread [K, M] for the shares [K, M, F] of missing rows; features not in `used` have none.

        Feature by feature: a matrix product would depend on how many windows there are.
        """
        total = np.zeros((2, *shares.shape[:2]), np.float32)
        for number, feature in enumerate(used):
            share = shares[:, :, feature]
            total += share * self.single[:, np.newaxis, :, feature]
            for other in used[:number]:
                total += share * shares[:, :, other] * self.pair[:, np.newaxis, :, feature, other]
        return total[0], total[1]


def _shares(missing: BoolArray, begun: BoolArray, rows_read: Int64Array) -> Float32Array:
    """Return the share of the rows that each member reads, or of the newest eighth, in which features are missing [K, M, F].

    `begun` [K, T]: the row is not before the window's first.
    """
    newest = _share(missing, begun, max(1, missing.shape[1] // 8))
    return np.stack([np.maximum(_share(missing, begun, rows), newest) for rows in rows_read.tolist()], axis=1)


def _share(missing: BoolArray, begun: BoolArray, rows: int) -> Float32Array:
    """Return the share of the newest rows in which features are missing [K, F]."""
    count = np.maximum(begun[:, -rows:].sum(axis=1, dtype=np.float32), np.float32(1.0))
    return np.asarray(missing[:, -rows:].sum(axis=1, dtype=np.float32) / count[:, np.newaxis])
