"""A scorer whose error is a checksum of its window, so that a test can tell which window was scored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales


class ChecksumScorer:
    """A ports.Scorer whose error is a checksum of window and scale: of every value and its position, and nothing else.

    All its members have the same error.

    Errors are spread evenly over [0, 1), so about any share of readings can be made anomalous by the margin.
    """

    def __init__(self, members: int = 1) -> None:
        self._members = members
        self.windows_seen: deque[Float32Array] = deque()

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        self.windows_seen.extend(windows.copy())
        errors = _fractions(_checksums(windows, scales))
        errors[np.isnan(windows[:, -1]).all(axis=1)] = np.nan
        return lambda: np.tile(errors[:, np.newaxis], (1, self._members))

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See ports.Scorer. The expected value is the error; for the first feature, it is the checksum of the window alone."""
        checksums = _checksums(windows, scales)
        expected = np.tile(_fractions(checksums)[:, np.newaxis, np.newaxis], (1, *windows.shape[1:]))
        expected[:, :, 0] = _fractions(_checksums(windows))[:, np.newaxis]
        return [
            _window_errors(window, int(checksum), values, self._members)
            for window, checksum, values in zip(windows, checksums, expected, strict=True)
        ]


def checksum_error(rows: Sequence[Sequence[float]], scales: Scales | None = None) -> float:
    """Return the error of one window, computed alone; without scales, the expected value of an event's first feature."""
    return float(_fractions(_checksums(np.array([rows], np.float32), scales))[0])


def _checksums(windows: Float32Array, scales: Scales | None = None) -> NDArray[np.uint64]:
    """Return an integer below 2**24 for each window [N, T, F]: integer arithmetic, so nothing depends on the batch."""
    columns = [windows.reshape(len(windows), windows.shape[1] * windows.shape[2])]
    if scales is not None:
        columns += [scales.location, scales.deviation]
    flat = np.concatenate(columns, axis=1)
    bits = np.where(np.isnan(flat), np.float32(np.inf), flat).astype(np.float32).view(np.uint32).astype(np.uint64)
    sums = np.full(len(windows), 1469598103934665603, np.uint64)
    for column in bits.T:  # Fowler-Noll-Vo, one value after the other: every place counts
        sums = (sums ^ column) * np.uint64(1099511628211)
        sums ^= sums >> np.uint64(29)
    return np.asarray(sums >> np.uint64(40))


def _fractions(checksums: NDArray[np.uint64]) -> Float32Array:
    """Return checksums as exact fractions of 2**24, which are below 1."""
    return (checksums / np.float64(1 << 24)).astype(np.float32)


def _window_errors(window: Float32Array, checksum: int, expected: Float32Array, members: int) -> WindowErrors:
    steps, features = window.shape
    weights = 1 + (checksum >> np.arange(steps)) % 7
    shares = 1 + (checksum >> np.arange(features)) % 5
    return WindowErrors(
        attention=(weights / weights.sum()).astype(np.float32),
        expected=expected,
        feature_share=np.tile((shares / shares.sum()).astype(np.float32), (members, 1)),
        step_share=np.tile((weights[::-1] / weights.sum()).astype(np.float32), (members, 1)),
        imputed=np.isnan(window[-1]),
    )
