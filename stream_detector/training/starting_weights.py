"""The weights from which a network starts: those of a network of SLOTS features that was fitted to random series.

training/built_in_network.py wrote them into the package. A network of F features takes all that does not depend on the number
of features, and the rows and columns of the first F slots, so before its first step it forecasts each feature by itself.
Features beyond the last slot, and the static covariates, which random series do not have, start without influence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import stream_detector
from stream_detector.model.artifact import NetworkSpec
from stream_detector.model_store.arrays import read_arrays
from stream_detector.readings import Float32Array
from stream_detector.training.preparation import TrainingConfig

PLACE = Path(stream_detector.__file__).parent / "built_in" / "network.safetensors"
#: The window and the network that the weights fit; those of `train` without options.
WINDOW_LENGTH, SLOTS = 64, 32
NETWORK = NetworkSpec()
ENCODER, HEAD, HEAD_BIAS = "encoder/lstm_cell/kernel", "head/kernel", "head/bias"


def starts_from_built_in(config: TrainingConfig) -> bool:
    """Say whether a training starts from the weights of the package: not if the network has another shape."""
    fits = replace(config.network, dropout=NETWORK.dropout) == NETWORK  # dropout has no weights
    return fits and config.window_length == WINDOW_LENGTH and not config.from_scratch


@cache
def starting_weights() -> Mapping[str, Float32Array]:
    """Return the weights of the package, by the path of the variable."""
    return {name: np.asarray(array, np.float32) for name, array in read_arrays(PLACE.read_bytes()).items()}


def packed(weights: Mapping[str, Float32Array]) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]]:
    """Return what is kept of a network of SLOTS features: all but the rows of the covariates, in half precision."""
    kept = {**weights, ENCODER: weights[ENCODER][: 2 * SLOTS]}
    return {name: array.astype(np.float16) for name, array in kept.items()}


def begin(own: Mapping[str, Float32Array], start: Mapping[str, Float32Array], features: int) -> dict[str, Float32Array]:
    """Return the weights of a network of F features that `start` begins, where `own` are its random ones."""
    known, slots = min(features, SLOTS), start[ENCODER]
    encoder = own[ENCODER].copy()  # what reads the features beyond the last slot stays random
    encoder[:known], encoder[features : features + known] = slots[:known], slots[SLOTS : SLOTS + known]
    encoder[2 * features :] = 0.0
    centre, spread = np.split(start[HEAD], 2, axis=1)
    centre_bias, spread_bias = np.split(start[HEAD_BIAS], 2)
    beyond = features - known
    head = np.concatenate([_columns(centre, known, 0.0 * centre, beyond), _columns(spread, known, spread, beyond)], axis=1)
    bias = np.concatenate(
        [_columns(centre_bias, known, 0.0 * centre_bias, beyond), _columns(spread_bias, known, spread_bias, beyond)]
    )
    parts = {ENCODER: encoder, HEAD: head, HEAD_BIAS: bias}
    return {name: np.asarray(parts.get(name, start[name]), np.float32) for name in own}


def _columns(known: Float32Array, count: int, others: Float32Array, beyond: int) -> Float32Array:
    """Return the first `count` columns of `known` [..., SLOTS], then `beyond` times the mean of those of `others`."""
    mean = np.repeat(others.mean(axis=-1, keepdims=True), beyond, axis=-1)
    return np.concatenate([known[..., :count], mean], axis=-1)
