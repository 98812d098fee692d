"""Windows of several features that go together by chance: random series, and random mixtures of them.

The features of a window are random series (random_series.py) at random times. In most of the windows each is instead a weighted
sum of some of these series, with its own beside it, so that features follow each other as those of a machine do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float32Array
from stream_detector.simulation.random_series import random_series

#: Share of the windows whose features are mixtures, and how many series a feature mixes, about.
_MIXED_SHARE, _MIXED_SERIES = 0.6, 2.0
#: Weight of a feature's own series beside the mixture, whose weight is 1.
_SMALLEST_OWN, _LARGEST_OWN = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class SeriesPool:
    """S random series of N readings, each with mean 0 and deviation 1, from which windows are drawn."""

    values: Float32Array  # [S, N]; NaN is missing

    @classmethod
    def draw(cls, seed: int, numbers: Sequence[int], readings: int) -> SeriesPool:
        """Return the series with these numbers; equal arguments give equal series."""
        return cls(np.stack([random_series(seed, number, readings) for number in numbers]).astype(np.float32))

    def windows(self, rng: np.random.Generator, count: int, features: int, length: int) -> Float32Array:
        """Return windows [count, length, features]; a value whose series has none is NaN."""
        series, readings = self.values.shape
        chosen = rng.integers(series, size=(count, features, 1))
        first = rng.integers(readings - length + 1, size=(count, features, 1))
        drawn = self.values[chosen, first + np.arange(length)]
        if features > 1:
            mixed = np.flatnonzero(rng.random(count) < _MIXED_SHARE)
            drawn[mixed] = _mixtures(rng, len(mixed), features) @ drawn[mixed]
        return np.ascontiguousarray(np.swapaxes(drawn, 1, 2))


def _mixtures(rng: np.random.Generator, count: int, features: int) -> Float32Array:
    """Return matrices [count, F, F] whose rows have length 1: the first few series, and each feature's own."""
    few = rng.integers(1, features + 1, size=(count, 1, 1))
    is_used = (rng.random((count, features, features)) < _MIXED_SERIES / few) & (np.arange(features) < few)
    shared = rng.normal(size=is_used.shape) * is_used
    shared /= np.maximum(np.linalg.norm(shared, axis=2, keepdims=True), 1e-6)
    own = np.exp(rng.uniform(np.log(_SMALLEST_OWN), np.log(_LARGEST_OWN), (count, features, 1)))
    both = shared + own * np.eye(features)
    return np.asarray(both / np.linalg.norm(both, axis=2, keepdims=True), np.float32)
