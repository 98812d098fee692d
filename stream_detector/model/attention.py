"""The attention layer: sums the weighted steps of a sequence into one vector.

For the outputs h_1..h_T of a recurrent layer, each of H values:

    e_t = tanh(h_t W + b_t)          W [H, 1], one bias per step
    a   = softmax(e) over the steps
    context = sum over t of a_t h_t

or, with `units`, the additive form (Bahdanau, Cho & Bengio 2015): e_t = tanh(h_t W + b) v, with W [H, units], v [units, 1].

With `offsets`, each step has a number p_t that is added to its score: e_t + OFFSET_RATE p_t.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from stream_detector.model.tensor_types import Tensor

#: The offsets learn so many times as fast as other weights: over a fit of 1,000 steps each of them moves little.
OFFSET_RATE = 4.0
#: Stands in for minus infinity: representable in half precision, and its exponential is 0 in every precision.
MASKED_SCORE = -3.0e4


@keras.saving.register_keras_serializable(package="stream_detector")
class Attention(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Summarise a sequence as a weighted mean of its steps.

    Input [batch, steps, H]; output (context [batch, H], weights [batch, steps]). A step whose mask is False has weight 0;
    the weights of a sequence sum to 1, unless all its steps are masked: then weights and context are 0.
    The mask is an argument of the call, or comes from an earlier layer (Keras masking).

    Args:
        units: None for the form with a bias per step, which fixes the number of steps; else the size of the additive form.
        offsets: add a learned number to the score of each step, which fixes the number of steps; not if `uniform`.
        uniform: give every unmasked step the same weight and learn nothing, to measure what attention contributes.
        seed: makes the initial weights reproducible.

    Raises:
        ValueError: if `units` is below 1; in `build`, if the input is not a sequence.

    """

    def __init__(
        self,
        units: int | None = None,
        uniform: bool = False,
        seed: int | None = None,
        offsets: bool = False,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if units is not None and units < 1:
            msg = f"units must be at least 1, got {units}"
            raise ValueError(msg)
        self.units = units
        self.uniform = uniform
        self.seed = seed
        self.offsets = offsets
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for a sequence of this shape."""
        _, steps, size = _sequence_shape(input_shape)
        if self.uniform:
            return
        initializer = keras.initializers.GlorotUniform(seed=self.seed)
        if steps is None and (self.units is None or self.offsets):
            msg = "Attention has one bias per step, so the number of steps must be known; or give `units` (additive form)."
            raise ValueError(msg)
        if self.offsets:
            self.offset = self.add_weight(shape=(steps,), initializer="zeros", name="p")
        if self.units is None:
            self.kernel = self.add_weight(shape=(size, 1), initializer=initializer, name="W")
            self.bias = self.add_weight(shape=(steps, 1), initializer="zeros", name="b")
        else:
            self.kernel = self.add_weight(shape=(size, self.units), initializer=initializer, name="W")
            self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
            self.projection = self.add_weight(
                shape=(self.units, 1), initializer=keras.initializers.GlorotUniform(seed=self.seed), name="v"
            )

    def call(self, inputs: Tensor, mask: Tensor = None) -> tuple[Tensor, Tensor]:
        """Return (context [batch, H], weights [batch, steps])."""
        scores = self.scores(inputs)
        if mask is None:
            weights = ops.softmax(scores, axis=-1)
        else:
            weights = ops.softmax(ops.where(mask, scores, MASKED_SCORE), axis=-1)
            # If all steps are masked, softmax is uniform over them; the product makes it 0.
            weights = weights * ops.cast(mask, weights.dtype)
        context = ops.sum(ops.expand_dims(weights, -1) * inputs, axis=1)
        return context, weights

    def scores(self, inputs: Tensor) -> Tensor:
        """Return the scores e [batch, steps], before mask and softmax."""
        if self.uniform:
            return ops.zeros_like(inputs[:, :, 0])
        scores = ops.tanh(ops.matmul(inputs, self.kernel) + self.bias)
        if self.units is not None:
            scores = ops.matmul(scores, self.projection)
        scores = ops.squeeze(scores, axis=-1)
        return scores + OFFSET_RATE * self.offset if self.offsets else scores

    def compute_mask(self, inputs: Tensor, mask: Tensor = None) -> tuple[None, None]:  # noqa: ARG002 - the signature is Keras'
        """Stop the mask here: neither output is a sequence to mask."""
        return None, None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], ...]:
        """Return the shapes of context and weights."""
        batch, steps, size = _sequence_shape(input_shape)
        return (batch, size), (batch, steps)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to rebuild the layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "uniform": self.uniform,
            "seed": self.seed,
            "offsets": self.offsets,
        }


def _sequence_shape(shape: tuple[int | None, ...]) -> tuple[int | None, int | None, int | None]:
    """Unpack [batch, steps, H]. Raises ValueError, with advice, for any other shape."""
    if len(shape) != 3:
        msg = (
            f"Attention needs a full sequence [batch, steps, units], but got {len(shape)}-D input {tuple(shape)}. "
            "Set return_sequences=True in the recurrent layer before it: without it that layer returns its last state "
            "only, and the softmax would run over the batch axis, mixing samples, instead of over time."
        )
        raise ValueError(msg)
    batch, steps, size = shape
    return batch, steps, size
