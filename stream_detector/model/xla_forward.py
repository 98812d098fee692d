"""The forward pass of network.py, rewritten for serving: the same results as the Keras model, several times faster under XLA.

Inputs that are the same at every step (static covariates, context) are multiplied once and not at each step. Each LSTM is one
loop whose body XLA fuses into a matrix product and a pass over its result. Nothing larger than a tile's hidden states is kept,
so a tile stays in the processor's cache. Any change to the network must be made here as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf
from keras import ops

from stream_detector.model.network import SMALLEST_SPREAD, decoded_rows
from stream_detector.model.tensor_types import Tensor

#: From values, visible, observed and covariates to (head, attention); see network.build_network.
Forward = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def compile_forward(network: keras.Model) -> Forward:
    """Compile the forward pass of a network from network.build_network; each input shape is compiled once."""
    compiled: Forward = tf.function(partial(forward, network), jit_compile=True, autograph=False)
    return compiled


@dataclass(frozen=True, slots=True)
class Lstm:
    """The cell of a Keras LSTM layer: I inputs, U units."""

    kernel: Tensor  # [I, 4U]
    recurrent_kernel: Tensor  # [U, 4U]
    bias: Tensor  # [4U]

    @classmethod
    def of(cls, layer: keras.layers.LSTM) -> Lstm:
        """Take the weights of a built layer."""
        return cls(layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)

    def run(self, changing: Tensor | None, constant: Tensor | None, steps: int) -> Tensor:
        """Return the outputs [N, S, U]. The inputs are `changing` [N, S, .], then `constant` [N, .], equal at all steps."""
        offset, by_step, split, rows = self.bias, None, 0, None
        if changing is not None:
            split, rows = changing.shape[-1], ops.shape(changing)[0]
            by_step = ops.transpose(changing, (1, 0, 2))
        if constant is not None:
            rows = ops.shape(constant)[0]
            offset = offset + ops.matmul(constant, self.kernel[split:])
        kernel = ops.concatenate([self.kernel[:split], self.recurrent_kernel])  # one product is faster than two narrow ones
        blank = ops.zeros((rows, self.recurrent_kernel.shape[0]))

        def advance(step: Tensor, hidden: Tensor, cell: Tensor, outputs: tf.TensorArray) -> tuple[Tensor, ...]:
            inputs = hidden if by_step is None else ops.concatenate([by_step[step], hidden], axis=-1)
            gates = ops.matmul(inputs, kernel) + offset
            entered, kept, candidate, emitted = ops.split(gates, 4, axis=-1)
            cell = ops.sigmoid(kept) * cell + ops.sigmoid(entered) * ops.tanh(candidate)
            hidden = ops.sigmoid(emitted) * ops.tanh(cell)
            return step + 1, hidden, cell, outputs.write(step, hidden)

        outputs = tf.TensorArray("float32", steps, element_shape=blank.shape)
        *_, outputs = tf.while_loop(
            lambda step, *_: step < steps, advance, (tf.constant(0), blank, blank, outputs), maximum_iterations=steps
        )
        return ops.transpose(outputs.stack(), (1, 0, 2))


def forward(
    network: keras.Model, values: Tensor, visible: Tensor, observed: Tensor, covariates: Tensor
) -> tuple[Tensor, Tensor]:
    """Return (head, attention) as the network does, for a batch of any size."""
    layers = {layer.name: layer for layer in network.layers}
    steps, features = values.shape[1:]
    rows = decoded_rows(steps)
    hidden = Lstm.of(layers["encoder"]).run(ops.concatenate([values, visible], axis=-1), covariates, steps)
    context, weights = layers["attention"](hidden, mask=ops.not_equal(observed, 0.0))
    has_context, newest = "repeat" in layers, hidden[:, -rows:]
    if not has_context:
        newest = newest * ops.expand_dims(weights[:, -rows:], -1) * steps
    narrow = layers["narrow"](newest) if "narrow" in layers else None
    decoded = Lstm.of(layers["decoder"]).run(narrow, context if has_context else None, rows)
    raw = layers["head"](decoded)
    centre = values[:, -rows:] + raw[:, :, :features]
    spread = ops.softplus(raw[:, :, features:]) + SMALLEST_SPREAD
    return ops.concatenate([centre, spread], axis=-1), weights
