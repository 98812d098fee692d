"""Windows to scores and explanations in compiled functions of one fixed shape.

The same window scored in a batch of another shape differs in its last bits, so every forward pass has the same shape, a
tile of `tile_rows` windows, and a short one is padded: what a window scores does not depend on what is scored with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from stream_detector.model.autoencoder import with_attention
from stream_detector.model.scaling import Scaler
from stream_detector.model.tensors import Tensor
from stream_detector.model.whitening import Whitening
from stream_detector.readings import BoolArray, Float32Array

#: A function of (filled windows, present), both [rows, T, F], to a tuple of tensors [rows, ...].
Compiled = Callable[[Tensor, Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Explained:
    """Explanations of N windows, as arrays; see explanation.Explanation."""

    attention: Float32Array  # [N, T]
    expected: Float32Array  # [N, F]
    feature_share: Float32Array  # [N, F]
    step_share: Float32Array  # [N, T]
    imputed: BoolArray  # [N, F]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Runs compiled functions over windows [N, T, F] of raw values, tile by tile."""

    scaler: Scaler
    window_length: int
    features: int
    rows: int

    def compile(self, function: Compiled) -> Compiled:
        """Compile a function for windows of this one shape."""
        shape = (self.rows, self.window_length, self.features)
        signature = [tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape, tf.bool)]
        compiled: Compiled = tf.function(function, input_signature=signature)
        return compiled

    def run(self, function: Compiled, windows: Float32Array) -> list[NDArray[Any]]:
        """Apply a compiled function that returns a tuple of [rows, ...]; return its outputs as arrays [N, ...]."""
        parts = [
            tuple(output.numpy()[:count] for output in function(filled, present))
            for filled, present, count in self._cut(windows)
        ]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _cut(self, windows: Float32Array) -> Iterator[tuple[Float32Array, BoolArray, int]]:
        for start in range(0, len(windows), self.rows):
            tile = windows[start : start + self.rows]
            count = len(tile)
            if count < self.rows:
                tile = np.concatenate([tile, np.zeros((self.rows - count, *tile.shape[1:]), np.float32)])
            yield *self.scaler.fill(tile), count


def squared_errors(network: keras.Model, scaler: Scaler) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return a function of (filled, present) to what all scoring starts from.

    That is the squared error of each cell [N, T, F], 0 where missing; how many rows each feature has [N, F]; the
    attention [N, T]; and the reconstruction [N, T, F] in scaled units.
    """
    both = with_attention(network)

    def forward(filled: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scaled = scaler.scale(filled, ops)
        here = ops.cast(present, "float32")
        reconstruction, attention = both([scaled, here], training=False)
        cells = ops.square(scaled - reconstruction) * here
        return cells, ops.sum(here, axis=1), attention, reconstruction

    return forward


def feature_errors(network: keras.Model, tiles: Tiles) -> Compiled:
    """Compile: windows to (errors e_f [N, F], seen [N, F])."""
    forward = squared_errors(network, tiles.scaler)

    def errors(filled: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        cells, rows, _, _ = forward(filled, present)
        return ops.sum(cells, axis=1) / ops.maximum(rows, 1.0), rows > 0

    return tiles.compile(errors)


def scores(network: keras.Model, tiles: Tiles, whitening: Whitening) -> Compiled:
    """Compile: windows to a tuple of the scores [N] alone."""
    forward = squared_errors(network, tiles.scaler)

    def score(filled: Tensor, present: Tensor) -> tuple[Tensor]:
        cells, rows, _, _ = forward(filled, present)
        errors = ops.sum(cells, axis=1) / ops.maximum(rows, 1.0)
        return (whitening.score(errors, rows > 0, ops),)

    return tiles.compile(score)


def explanations(network: keras.Model, tiles: Tiles, whitening: Whitening) -> Compiled:
    """Compile: windows to the fields of Explained, in their order.

    The shares are of the cells that make the score: error of step t, feature f over (rows of f times b_f), for the
    features among the largest. A window without any error shares equally.
    """
    forward = squared_errors(network, tiles.scaler)
    scored = np.asarray(whitening.scored, np.float32)

    def explain(filled: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        cells, rows, attention, reconstruction = forward(filled, present)
        rows = ops.maximum(rows, 1.0)
        ratios = whitening.ratios(ops.sum(cells, axis=1) / rows, ops.any(present, axis=1), ops)
        _, largest = ops.top_k(ratios, whitening.largest)
        selected = ops.sum(ops.one_hot(largest, tiles.features), axis=1)
        shares = ops.expand_dims(selected * scored / (rows * whitening.baseline), 1) * cells
        expected = tiles.scaler.unscale(reconstruction[:, -1], ops)
        imputed = ops.logical_not(present[:, -1])
        by_feature = _normalised(ops.sum(shares, axis=1), scored / scored.sum())
        by_step = _normalised(ops.sum(shares, axis=2), np.full(tiles.window_length, 1.0 / tiles.window_length, np.float32))
        return attention, expected, by_feature, by_step, imputed

    return tiles.compile(explain)


def _normalised(parts: Tensor, otherwise: Float32Array) -> Tensor:
    """Divide each row by its sum; a row of zeros becomes `otherwise`."""
    total = ops.sum(parts, axis=-1, keepdims=True)
    return ops.where(total > 0, parts / ops.where(total > 0, total, 1.0), otherwise)
