"""The network that `train` fits and that scores readings: layers and loss. To change the network, start here.

xla_forward.py mirrors its forward pass by hand for serving: change both together (tests/model/test_xla_forward.py compares
them). reference_autoencoder.py is the textbook network of docs/model.md and takes no part in training or scoring.

encoder    LSTM over the window; a masked value carries the last visible one, and a second channel marks visible values
attention  over time, on the encoder's outputs; a step without any value has no weight
decoder    LSTM over the newest rows. It reads the context (the attention-weighted sum of all steps) next to the encoder's
           newest steps, narrowed by a dense layer ("both"); or only the context ("context"); or only the newest steps,
           weighted by attention ("sequence")
head       a centre and a spread per value
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras
import numpy as np
from keras import ops

from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.attention import Attention
from stream_detector.model.tensor_types import Tensor
from stream_detector.readings import Float32Array

#: Lower limit of the spread, in scaled units.
SMALLEST_SPREAD = 0.03
DECODERS = ("both", "context", "sequence")


def hidden_rows(window_length: int) -> int:
    """Return how many of the newest rows are masked when a window is scored: an eighth."""
    return max(1, window_length // 8)


def decoded_rows(window_length: int) -> int:
    """Return how many of the newest rows the decoder predicts: a quarter, so that training can mask more of them."""
    return max(hidden_rows(window_length), window_length // 4)


def build_network(window_length: int, features: int, spec: NetworkSpec, seed: int = 0) -> keras.Model:
    """Build the network; equal arguments give equal initial weights.

    The keras.Model takes [values, visible, observed, covariates]: values and visible (1 or 0) are [N, T, F]; observed [N, T] is
    1 where any value was read, masked or not; the static covariates are [N, 2F]. It returns [head, attention]: the head
    [N, R, 2F] holds the centres, then the spreads, of the newest R rows; the attention weights are [N, T].
    Raises ValueError for an unknown decoder.
    """
    if spec.decoder not in DECODERS:
        msg = f"decoder must be one of {', '.join(DECODERS)}, got {spec.decoder!r}"
        raise ValueError(msg)
    rows = decoded_rows(window_length)
    seeds = iter((np.random.SeedSequence(seed).generate_state(8) >> 1).tolist())
    values = keras.Input((window_length, features), name="values")
    visible = keras.Input((window_length, features), name="visible")
    observed = keras.Input((window_length,), name="observed")
    covariates = keras.Input((2 * features,), name="covariates")
    repeated = keras.layers.RepeatVector(window_length, name="repeat_covariates")(covariates)
    hidden = _lstm(spec.units, "encoder", next(seeds), next(seeds))(ops.concatenate([values, visible, repeated], axis=-1))
    hidden = keras.layers.Dropout(spec.dropout, seed=next(seeds), name="encoder_dropout")(hidden)
    offsets = spec.attention_offsets
    attention = Attention(spec.attention_units, spec.uniform_attention, next(seeds), offsets, name="attention")
    context, weights = attention(hidden, mask=ops.not_equal(observed, 0.0))
    sequence = _decoder_input(spec, hidden, context, weights, seeds)
    sequence = _lstm(spec.units, "decoder", next(seeds), next(seeds))(sequence)
    sequence = keras.layers.Dropout(spec.dropout, seed=seed + 1, name="decoder_dropout")(sequence)
    raw = keras.layers.Dense(2 * features, kernel_initializer=_glorot(seed + 2), name="head")(sequence)
    # A masked value carries the last visible one, so the network predicts the change since then.
    centre = values[:, -rows:] + raw[:, :, :features]
    spread = ops.softplus(raw[:, :, features:]) + SMALLEST_SPREAD
    return keras.Model(
        [values, visible, observed, covariates],
        [ops.concatenate([centre, spread], axis=-1), weights],
        name="masked_autoencoder",
    )


def _decoder_input(spec: NetworkSpec, hidden: Tensor, context: Tensor, weights: Tensor, seeds: Iterator[int]) -> Tensor:
    """Return the decoder's input [N, R, .]: the encoder's newest steps, narrowed, the context, or both."""
    steps = hidden.shape[1]
    rows, parts = decoded_rows(steps), []
    if spec.decoder != "context":
        newest = hidden[:, -rows:]
        if spec.decoder == "sequence":
            # Times T, so that a step of average weight keeps its magnitude: otherwise learning is slow.
            newest = newest * ops.expand_dims(weights[:, -rows:], -1) * steps
        width = spec.bottleneck or max(1, spec.units // 2)
        parts.append(keras.layers.Dense(width, kernel_initializer=_glorot(next(seeds)), name="narrow")(newest))
    if spec.decoder != "sequence":
        parts.append(keras.layers.RepeatVector(rows, name="repeat")(context))
    return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def load_weights(network: keras.Model, weights: Mapping[str, Float32Array]) -> None:
    """Set a network's weights by the paths of its variables; raise ValueError if they do not fit."""
    paths = [variable.path for variable in network.weights]
    if sorted(paths) != sorted(weights):
        msg = f"the weights {sorted(weights)} are not those of the network {sorted(paths)}"
        raise ValueError(msg)
    network.set_weights([weights[path] for path in paths])


def negative_log_likelihood(target: Tensor, weight: Tensor, head: Tensor) -> Tensor:
    """Return the weighted mean over the cells [N, R, F] of -log N(target; centre, spread), without its constant."""
    features = target.shape[-1]
    centre, spread = head[:, :, :features], head[:, :, features:]
    loss = 0.5 * ops.square((target - centre) / spread) + ops.log(spread)
    return ops.sum(loss * weight) / ops.maximum(ops.sum(weight), 1.0)


def _glorot(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=seed)


def _lstm(units: int, name: str, kernel_seed: int, recurrent_seed: int) -> keras.layers.Layer:
    return keras.layers.LSTM(
        units,
        return_sequences=True,
        kernel_initializer=_glorot(kernel_seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=recurrent_seed),
        name=name,
    )
