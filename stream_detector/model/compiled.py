"""Computes errors, log errors and explanations from the members' outputs, compiled for tiles of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from stream_detector.detection.scorer import WindowErrors
from stream_detector.model.error_normalization import ErrorNormalization
from stream_detector.model.input_scaling import unscale
from stream_detector.model.masked_autoencoder import Windows
from stream_detector.model.members import MemberOutput, Members, feature_errors
from stream_detector.model.tensor_types import Tensor
from stream_detector.model.tiles import Compiled, Tiles


def compile_feature_errors(members: Members, tiles: Tiles) -> Compiled:
    """Compile: windows to (errors e_f [N, M, F], how much they count [N, M, F]); see feature_errors."""

    def errors(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        outputs = members.outputs(Windows.of(filled, present, location, deviation))
        return feature_errors(outputs)

    return tiles.compile(errors)


def compile_log_errors(members: Members, tiles: Tiles, normalization: ErrorNormalization) -> Compiled:
    """Compile: windows to a tuple with one element, the log errors [N, M]."""

    def errors(filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> tuple[Tensor]:
        outputs = members.outputs(Windows.of(filled, present, location, deviation))
        return (normalization.log_errors(*feature_errors(outputs), ops),)

    return tiles.compile(errors)


def compile_explanations(members: Members, tiles: Tiles, normalization: ErrorNormalization) -> Compiled:
    """Compile: windows to the fields of scorer.WindowErrors, in their order."""

    def explain(
        filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        windows = Windows.of(filled, present, location, deviation)
        outputs = members.outputs(windows)
        found = [output.attention for output in outputs if output.attention is not None]
        attention = found[0] if found else ops.zeros((ops.shape(filled)[0], 0))
        by_feature, by_step = _error_shares(outputs, windows, normalization, tiles)
        expected = unscale(_mean_expected(outputs, windows.scaled), location, deviation, ops)
        imputed = ops.logical_not(present[:, -1])
        return attention, expected, by_feature, by_step, imputed

    return tiles.compile(explain)


def as_window_errors(outputs: list[NDArray[Any]]) -> list[WindowErrors]:
    """Return the explanations of the windows, one object per window."""
    return [WindowErrors(*fields) for fields in zip(*outputs, strict=True)]


def _error_shares(
    outputs: list[MemberOutput], windows: Windows, normalization: ErrorNormalization, tiles: Tiles
) -> tuple[Tensor, Tensor]:
    """Return each member's error as shares of the features [N, M, F] and of the steps [N, M, T]; each sums to 1.

    The error is the sum of cells: the squared residual of step t, feature f, divided by (rows of f times b_f), for the features
    with the largest ratios. Without any error, the shares of all rows that have a value are equal.
    """
    scored = np.asarray(normalization.scored, np.float32) * outputs[0].newest  # [N, F]
    equal_features = scored / ops.maximum(ops.sum(scored, axis=-1, keepdims=True), 1.0)
    has_value = ops.max(windows.present, axis=2)
    equally = has_value / ops.maximum(ops.sum(has_value, axis=1, keepdims=True), 1.0)
    ratios = normalization.ratios(*feature_errors(outputs), ops)
    _, largest = ops.top_k(ratios, normalization.top_count)
    selected = ops.sum(ops.one_hot(largest, tiles.features), axis=2)  # [N, M, F]
    by_feature, by_step = [], []
    for position, output in enumerate(outputs):
        rows = ops.maximum(ops.sum(output.present, axis=1), 1.0)
        weights = selected[:, position] * scored / (rows * normalization.usual_errors[position])
        cells = ops.expand_dims(weights, 1) * ops.square(output.residuals)
        before = tiles.window_length - cells.shape[1]
        by_feature.append(_normalised(ops.sum(cells, axis=1), equal_features))
        by_step.append(_normalised(ops.pad(ops.sum(cells, axis=2), ((0, 0), (before, 0))), equally))
    return ops.stack(by_feature, axis=1), ops.stack(by_step, axis=1)


def _mean_expected(outputs: list[MemberOutput], scaled: Tensor) -> Tensor:
    """Return the mean of the members' expected values [N, T, F]; the actual value where no member expects one."""
    steps = scaled.shape[1]
    total, count = ops.zeros_like(scaled), np.zeros((steps, 1), np.float32)
    for output in outputs:
        if output.expected is not None:
            before = steps - output.expected.shape[1]
            total = total + ops.pad(output.expected, ((0, 0), (before, 0), (0, 0)))
            count[before:] += 1.0
    return ops.where(count > 0, total / np.maximum(count, 1.0), scaled)


def _normalised(parts: Tensor, otherwise: Tensor) -> Tensor:
    """Divide each row by its sum; a row of zeros becomes `otherwise`."""
    total = ops.sum(parts, axis=-1, keepdims=True)
    return ops.where(total > 0, parts / ops.where(total > 0, total, 1.0), otherwise)
