"""The textbook attention LSTM autoencoder of docs/model.md. No product code uses it: `train` and `run` use network.py.

An LSTM encoder, attention over time and a decoder, trained to reconstruct their window. Values are scaled, [batch, T, F]. A
missing value is filled in the input, 0 in `present`, and NaN in the target, so it does not count in the loss; a step without
any value does not count in the attention either.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from stream_detector.model.attention import Attention
from stream_detector.model.tensor_types import Tensor

#: network.py has a third decoder, "both".
DECODERS = ("context", "sequence")


def build_autoencoder(
    window_length: int,
    features: int,
    *,
    units: int = 64,
    dropout: float = 0.2,
    decoder: str = "context",
    bottleneck: int | None = None,
    attention_units: int | None = None,
    uniform_attention: bool = False,
    seed: int = 0,
) -> keras.Model:
    """Build and compile (MAE, Adam) the autoencoder; equal arguments give equal initial weights.

    The keras.Model takes [values, present], both [batch, T, F], and returns the reconstruction [batch, T, F]:
    `model.fit([values, present], target)`, where target is `values` with NaN for missing values.

    Args:
        window_length: T, steps per window.
        features: F, values per step.
        units: size of both LSTM layers.
        dropout: share of LSTM outputs dropped in training, after the encoder and after the decoder.
        decoder: "context" pools the window into one vector and repeats it; "sequence" weights the encoder's steps and keeps
            them apart. The latter can copy its input unless a bottleneck narrows it or it learns to reconstruct masked steps.
        bottleneck: values per step that pass to the "sequence" decoder; None: half the features.
        attention_units: None for attention with a bias per step, else the size of additive attention.
        uniform_attention: give all steps equal weights; nothing is learned.
        seed: for initial weights and dropout.

    Raises ValueError for an unknown decoder.

    """
    if decoder not in DECODERS:
        msg = f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}"
        raise ValueError(msg)
    seeds = (int(state) for state in np.random.SeedSequence(seed).generate_state(8) >> 1)
    values = keras.Input((window_length, features), name="values")
    present = keras.Input((window_length, features), name="present")
    step_mask = ops.any(ops.not_equal(present, 0.0), axis=-1)

    hidden = _lstm(units, "encoder", next(seeds), next(seeds))(values)
    hidden = keras.layers.Dropout(dropout, seed=next(seeds), name="encoder_dropout")(hidden)
    attention = Attention(attention_units, uniform_attention, seed=next(seeds), name="attention")
    context, weights = attention(hidden, mask=step_mask)
    if decoder == "context":
        sequence = keras.layers.RepeatVector(window_length, name="repeat")(context)
    else:
        narrow = keras.layers.Dense(
            bottleneck or max(1, features // 2),
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            name="bottleneck",
        )
        # Times T, so that a step of average weight keeps its magnitude: otherwise learning is slow.
        sequence = narrow(hidden * ops.expand_dims(weights, -1) * window_length)
    sequence = _lstm(units, "decoder", next(seeds), next(seeds))(sequence)
    sequence = keras.layers.Dropout(dropout, seed=next(seeds), name="decoder_dropout")(sequence)
    dense = keras.layers.Dense(features, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)), name="output")
    output = keras.layers.TimeDistributed(dense, name="reconstruction")(sequence)

    model = keras.Model([values, present], output, name="attention_autoencoder")
    model.compile(optimizer="adam", loss=masked_mean_absolute_error)
    return model


def with_attention(model: keras.Model) -> keras.Model:
    """Return a model with the same inputs and weights that returns (reconstruction [batch, T, F], attention [batch, T])."""
    return keras.Model(model.inputs, [model.output, model.get_layer("attention").output[1]])


@keras.saving.register_keras_serializable(package="stream_detector")  # type: ignore[untyped-decorator]  # Keras ships no types
def masked_mean_absolute_error(target: Tensor, reconstruction: Tensor) -> Tensor:
    """Return the mean absolute error over the values present (NaN in the target: missing); 0 if none is."""
    missing = ops.isnan(target)
    # The NaN is replaced before the subtraction: its gradient would be NaN even where it is not selected.
    error = ops.abs(ops.where(missing, ops.zeros_like(target), target) - reconstruction)
    present = ops.cast(ops.logical_not(missing), error.dtype)
    return ops.sum(error * present) / ops.maximum(ops.sum(present), 1.0)


def _lstm(units: int, name: str, kernel_seed: int, recurrent_seed: int) -> keras.layers.Layer:
    """Return an LSTM layer with Keras' default initialisation, seeded."""
    return keras.layers.LSTM(
        units,
        return_sequences=True,
        kernel_initializer=keras.initializers.GlorotUniform(seed=kernel_seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=recurrent_seed),
        name=name,
    )
