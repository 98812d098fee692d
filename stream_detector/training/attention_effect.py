"""Teaches attention on which steps the expectation hinges: how far it moves without a step, measured during the fit.

Takes one visible step, drawn by lot, away from each of some windows of a batch. The weights [N, T] learn by the cross entropy

    - sum over the windows of c log a_t / sum of c        c: how far the expectation moves without the step t, in spreads

whose least value, over many draws, is at weights a_t in proportion to c. Only the attention layer learns by it: the encoder and
the decoder are fitted to predict, as without it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from stream_detector.model.tensor_types import Tensor
from stream_detector.readings import BoolArray, Float32Array

#: Windows of a batch from which a step is taken away.
TRIED_WINDOWS = 32
#: A larger change, in spreads, counts as this, so that few windows do not decide.
LARGEST_CHANGE = 3.0
_SMALLEST_WEIGHT = 1e-7


def without_a_step(
    shown: Sequence[Float32Array], hidden: BoolArray, rng: np.random.Generator
) -> tuple[list[Float32Array], Float32Array]:
    """Return the inputs of the first TRIED_WINDOWS windows without one step each, and 1 at that step [K, T], else 0.

    `hidden` [N, T, F] are the values that are masked, in rows at the end; they carry the last row before these. A step that is
    taken away is masked in the same way: it carries the step before it.
    """
    values, visible, observed, covariates = (array[:TRIED_WINDOWS] for array in shown)
    hidden = hidden[:TRIED_WINDOWS]
    readable = (observed > 0) & (visible.max(axis=2) > 0)
    step = np.where(readable, rng.random(readable.shape), -1.0).argmax(axis=1)
    carried = np.take_along_axis(values, np.where(step > 0, step - 1, 1)[:, np.newaxis, np.newaxis], axis=1)
    taken: BoolArray = np.asarray(np.arange(values.shape[1]) == step[:, np.newaxis])
    follows = hidden & (hidden.any(axis=2).argmax(axis=1) == step + 1)[:, np.newaxis, np.newaxis]
    is_new = follows | (taken[:, :, np.newaxis] & ~hidden)
    kept = np.asarray(~taken, np.float32)
    inputs = [np.where(is_new, carried, values), visible * kept[:, :, np.newaxis], observed * kept, covariates]
    return inputs, np.asarray(taken & readable, np.float32)


def effect_loss(head: Tensor, other: Tensor, weight: Tensor, attention: Tensor, taken: Tensor) -> Tensor:
    """Return the loss of attention weights [N, T] by what the first K windows' head [N, R, 2F] is without a step, `other`.

    `weight` [N, R, F] marks the predicted values that count, `taken` [K, T] the step. Only `attention` learns by it.
    """
    count, features = taken.shape[0], weight.shape[-1]
    head, weight, attention = head[:count], weight[:count], attention[:count]
    moved = ops.square((other[:, :, :features] - head[:, :, :features]) / head[:, :, features:]) * weight
    mean = ops.sum(moved, axis=(1, 2)) / ops.maximum(ops.sum(weight, axis=(1, 2)), 1.0)
    change = ops.minimum(ops.sqrt(mean), LARGEST_CHANGE) * ops.max(taken, axis=1)
    change = ops.stop_gradient(change)
    said = ops.sum(attention * taken, axis=1)
    return -ops.sum(change * ops.log(ops.maximum(said, _SMALLEST_WEIGHT))) / ops.maximum(ops.sum(change), _SMALLEST_WEIGHT)
