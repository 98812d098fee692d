"""Windows to scores and explanations in compiled functions of one fixed shape.

The same window scored in a batch of another shape differs in its last bits, so every forward pass has the same shape, a
tile of `tile_rows` windows, and a short one is padded: what a window scores does not depend on what is scored with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from stream_detector.model.autoencoder import with_attention
from stream_detector.model.scaling import Scaler
from stream_detector.model.whitening import Whitening
from stream_detector.readings import BoolArray, Float32Array


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

    def compile(self, function: Callable[[Any, Any], Any]) -> Any:
        """Compile a function of (filled windows, present), both [rows, T, F]."""
        shape = (self.rows, self.window_length, self.features)
        return tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape, tf.bool)])

    def run(self, function: Any, windows: Float32Array) -> list[Any]:
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


def squared_errors(network: Any, scaler: Scaler) -> Callable[[Any, Any], tuple[Any, Any, Any, Any]]:
    """Return a function of (filled, present): squared error of each cell [N, T, F], 0 where missing; how many rows
    each feature has [N, F]; the attention [N, T]; the reconstruction [N, T, F] in scaled units.
    """  # noqa: D205 - the sentence is one
    both = with_attention(network)

    def forward(filled: Any, present: Any) -> tuple[Any, Any, Any, Any]:
        scaled = scaler.scale(filled, ops)
        here = ops.cast(present, "float32")
        reconstruction, attention = both([scaled, here], training=False)
        cells = ops.square(scaled - reconstruction) * here
        return cells, ops.sum(here, axis=1), attention, reconstruction

    return forward


def feature_errors(network: Any, tiles: Tiles) -> Any:
    """Compile: windows to (errors e_f [N, F], seen [N, F])."""
    forward = squared_errors(network, tiles.scaler)

    def errors(filled: Any, present: Any) -> tuple[Any, Any]:
        cells, rows, _, _ = forward(filled, present)
        return ops.sum(cells, axis=1) / ops.maximum(rows, 1.0), rows > 0

    return tiles.compile(errors)


def scores(network: Any, tiles: Tiles, whitening: Whitening) -> Any:
    """Compile: windows to a tuple of the scores [N] alone."""
    forward = squared_errors(network, tiles.scaler)

    def score(filled: Any, present: Any) -> tuple[Any]:
        cells, rows, _, _ = forward(filled, present)
        errors = ops.sum(cells, axis=1) / ops.maximum(rows, 1.0)
        return (whitening.score(errors, rows > 0, ops),)

    return tiles.compile(score)


def explanations(network: Any, tiles: Tiles, whitening: Whitening) -> Any:
    """Compile: windows to the fields of Explained, in their order.

    The shares are of the cells that make the score: error of step t, feature f over (rows of f times b_f), for the
    features among the largest. A window without any error shares equally.
    """
    forward = squared_errors(network, tiles.scaler)
    scored = np.asarray(whitening.scored, np.float32)

    def explain(filled: Any, present: Any) -> tuple[Any, Any, Any, Any, Any]:
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


def _normalised(parts: Any, otherwise: Float32Array) -> Any:
    """Divide each row by its sum; a row of zeros becomes `otherwise`."""
    total = ops.sum(parts, axis=-1, keepdims=True)
    return ops.where(total > 0, parts / ops.where(total > 0, total, 1.0), otherwise)
