"""Windows to errors and explanations in compiled functions of one fixed shape.

All members run in one graph: the linear ones are matrix products beside the network, which is compiled (xla_forward.py).
The same window scored in a batch of another shape may differ in its last bits. So every forward pass has the same shape, a tile
of windows, and a short one is padded: what a window scores does not depend on what is scored with it. Tiles of several sizes
that agree in every bit are in tiles.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from stream_detector.detection.scorer import WindowErrors
from stream_detector.model.error_normalization import Whitening
from stream_detector.model.input_scaling import fill, unscale
from stream_detector.model.linear_members import CHANGE, LinearMember
from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.tensor_types import Tensor
from stream_detector.readings import Float32Array
from stream_detector.state.running_scale import Scales

#: A tile has a multiple of so many windows. Matrix products take 4, 6, 8, 12, 16, 24 or 48 rows at a time, by the processor,
#: and what is left at the end is done by another kernel, which differs in its last bits.
ROWS_OF_KERNELS = 48

#: A function of (filled windows, present) [rows, T, F] and (location, deviation) [rows, F] to a tuple of tensors [rows, ...].
Compiled = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class MemberOutput:
    """What one member says of N windows, about their newest R rows."""

    residuals: Tensor  # [N, R, F] 0 where there is no value
    here: Tensor  # [N, R, F] 1 where there is a value, else 0
    expected: Tensor | None  # [N, R, F] scaled values; None: it expects changes, not values
    attention: Tensor | None = None  # [N, T] of the network; the linear members have none


@dataclass(frozen=True, slots=True)
class Members:
    """The members of a model. An autoencoder that is not among the scored ones is still asked what it attends to."""

    linear: tuple[LinearMember, ...]
    autoencoder: MaskedAutoencoder
    names: tuple[str, ...]  # [M] of the members that are scored, in their order
    window_length: int

    def outputs(self, windows: Windows) -> list[MemberOutput]:
        """Return what each scored member says of windows."""
        by_name = {member.shape.name: member for member in self.linear}
        return [
            _linear_output(by_name[name], windows) if name in by_name else _network_output(self.autoencoder, windows)
            for name in self.names
        ]


def _network_output(autoencoder: MaskedAutoencoder, windows: Windows) -> MemberOutput:
    centre, spread, attention = autoencoder.expect(windows)
    rows = windows.here[:, -centre.shape[1] :]
    residuals = (windows.scaled[:, -centre.shape[1] :] - centre) / spread * rows
    return MemberOutput(residuals, rows, centre, attention)


def _linear_output(member: LinearMember, windows: Windows) -> MemberOutput:
    here = windows.here
    actual, expected = member.expect(windows.scaled, ops)
    rows = here[:, -member.shape.says :]
    if member.shape.kind == CHANGE:
        rows = rows * here[:, -member.shape.says - 1 : -1]
    return MemberOutput((actual - expected) * rows, rows, None if member.shape.kind == CHANGE else expected)


def feature_errors(outputs: list[MemberOutput]) -> tuple[Tensor, Tensor]:
    """Return the errors e_f [N, M, F] over the rows with a value, and where there are any.

    The mean squared residual; for the network its root times the mean residual, since what it says of several rows is wrong
    in one direction when a level has moved.
    """
    rows = [ops.sum(output.here, axis=1) for output in outputs]
    errors = []
    for output, count in zip(outputs, rows, strict=True):
        at_least_one = ops.maximum(count, 1.0)
        square = ops.sum(ops.square(output.residuals), axis=1) / at_least_one
        mean = ops.absolute(ops.sum(output.residuals, axis=1)) / at_least_one
        errors.append(ops.sqrt(square) * mean if output.attention is not None else square)
    return ops.stack(errors, axis=1), ops.stack(rows, axis=1) > 0


@dataclass(frozen=True, slots=True)
class Tiles:
    """Runs compiled functions over windows [N, T, F] of raw values, tile by tile."""

    window_length: int
    features: int
    most_rows: int

    @property
    def rows(self) -> int:
        """How many windows a tile has: at most those asked for, but ROWS_OF_KERNELS at least."""
        return max(1, self.most_rows // ROWS_OF_KERNELS) * ROWS_OF_KERNELS

    def compile(self, function: Compiled) -> Compiled:
        """Compile a function for windows of this one shape."""
        shape, scales = (self.rows, self.window_length, self.features), (self.rows, self.features)
        signature = [tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape, tf.bool)] + 2 * [tf.TensorSpec(scales, tf.float32)]
        compiled: Compiled = tf.function(function, input_signature=signature)
        return compiled

    def run(self, function: Compiled, windows: Float32Array, scales: Scales) -> list[NDArray[Any]]:
        """Apply a compiled function that returns a tuple of [rows, ...]; return its outputs as arrays [N, ...], N > 0."""
        cuts = (slice(start, start + self.rows) for start in range(0, len(windows), self.rows))
        parts = [self._run_tile(function, windows[chosen], scales.take(chosen)) for chosen in cuts]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _run_tile(self, function: Compiled, windows: Float32Array, scales: Scales) -> tuple[NDArray[Any], ...]:
        count = len(windows)
        lacking = self.rows - count
        location, deviation = _pad(scales.location, lacking, 0.0), _pad(scales.deviation, lacking, 1.0)
        outputs = function(*fill(_pad(windows, lacking, 0.0), location), location, deviation)
        return tuple(output.numpy()[:count] for output in outputs)


def _pad(array: Float32Array, rows: int, value: float) -> Float32Array:
    return np.concatenate([array, np.full((rows, *array.shape[1:]), value, np.float32)]) if rows else array


def compile_feature_errors(members: Members, tiles: Tiles) -> Compiled:
    """Compile: windows to (errors e_f [N, M, F], seen [N, M, F])."""

    def errors(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        outputs = members.outputs(Windows.of(filled, present, location, deviation))
        return feature_errors(outputs)

    return tiles.compile(errors)


def compile_log_errors(members: Members, tiles: Tiles, whitening: Whitening) -> Compiled:
    """Compile: windows to a tuple of the log errors [N, M] alone."""

    def errors(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor]:
        outputs = members.outputs(Windows.of(filled, present, location, deviation))
        return (whitening.log_errors(*feature_errors(outputs), ops),)

    return tiles.compile(errors)


def compile_explanations(members: Members, tiles: Tiles, whitening: Whitening) -> Compiled:
    """Compile: windows to the fields of explanation.WindowErrors, in their order.

    A member's shares are of the cells that make its error: squared error of step t, feature f over (rows of f times b_f), for
    the features among the largest. A window without any error shares equally.
    """
    scored = np.asarray(whitening.scored, np.float32)
    equally = np.full(tiles.window_length, 1.0 / tiles.window_length, np.float32)

    def explain(
        filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        windows = Windows.of(filled, present, location, deviation)
        outputs = members.outputs(windows)
        found = [output.attention for output in outputs if output.attention is not None]
        attention = found[0] if found else members.autoencoder.expect(windows)[2]
        ratios = whitening.ratios(*feature_errors(outputs), ops)
        _, largest = ops.top_k(ratios, whitening.largest)
        selected = ops.sum(ops.one_hot(largest, tiles.features), axis=2)  # [N, M, F]
        by_feature, by_step = [], []
        for number, output in enumerate(outputs):
            rows = ops.maximum(ops.sum(output.here, axis=1), 1.0)
            weights = selected[:, number] * scored / (rows * whitening.baseline[number])
            shares = ops.expand_dims(weights, 1) * ops.square(output.residuals)
            before = tiles.window_length - shares.shape[1]
            by_feature.append(_normalised(ops.sum(shares, axis=1), scored / scored.sum()))
            by_step.append(_normalised(ops.pad(ops.sum(shares, axis=2), ((0, 0), (before, 0))), equally))
        expected = unscale(_expected(outputs, windows.scaled), location, deviation, ops)
        imputed = ops.logical_not(present[:, -1])
        return attention, expected, ops.stack(by_feature, axis=1), ops.stack(by_step, axis=1), imputed

    return tiles.compile(explain)


def _expected(outputs: list[MemberOutput], scaled: Tensor) -> Tensor:
    """Return the mean over the members of what they expect of each row [N, T, F]; the value itself where none says anything."""
    steps = scaled.shape[1]
    total, count = ops.zeros_like(scaled), np.zeros((steps, 1), np.float32)
    for output in outputs:
        if output.expected is not None:
            before = steps - output.expected.shape[1]
            total = total + ops.pad(output.expected, ((0, 0), (before, 0), (0, 0)))
            count[before:] += 1.0
    return ops.where(count > 0, total / np.maximum(count, 1.0), scaled)


def _normalised(parts: Tensor, otherwise: Float32Array) -> Tensor:
    """Divide each row by its sum; a row of zeros becomes `otherwise`."""
    total = ops.sum(parts, axis=-1, keepdims=True)
    return ops.where(total > 0, parts / ops.where(total > 0, total, 1.0), otherwise)


def as_window_errors(outputs: list[NDArray[Any]]) -> list[WindowErrors]:
    """Return the explained windows one by one."""
    return [WindowErrors(*fields) for fields in zip(*outputs, strict=True)]
