"""The compiled forward pass agrees with the Keras model."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from stream_detector.model.artifact import NetworkSpec
from stream_detector.model.network import build_network
from stream_detector.model.xla_forward import compile_forward, forward
from stream_detector.readings import Float32Array

FEATURES, STEPS, ROWS = 3, 16, 7
#: Both add up float32 products, in another order.
TOLERANCE = 2e-6
SPECS = {
    "both": NetworkSpec(units=8),
    "context": NetworkSpec(units=8, decoder="context"),
    "sequence": NetworkSpec(units=8, decoder="sequence"),
    "narrow": NetworkSpec(units=8, bottleneck=1),
    "a bias per step": NetworkSpec(units=8, attention_units=None),
    "uniform attention": NetworkSpec(units=8, uniform_attention=True),
    "no offsets": NetworkSpec(units=8, attention_offsets=False),
    "sequence without offsets": NetworkSpec(units=8, decoder="sequence", attention_offsets=False),
    "dropout": NetworkSpec(units=8, dropout=0.5),
}


def inputs() -> list[Float32Array]:
    """Return values, visible, observed and covariates; some values are missing, some rows, and in one window all."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(ROWS, STEPS, FEATURES))
    visible = rng.random(values.shape) < 0.8
    visible[1, 4:9] = False
    visible[2] = False
    covariates = rng.uniform(-1.0, 1.0, (ROWS, 2 * FEATURES))
    return [np.asarray(array, np.float32) for array in (values, visible, visible.any(axis=2), covariates)]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_head_and_attention_are_those_of_the_keras_model(spec: NetworkSpec) -> None:
    network = build_network(STEPS, FEATURES, spec, seed=5)
    tensors = [tf.constant(array) for array in inputs()]
    rng = np.random.default_rng(0)
    network.set_weights([weights + rng.normal(0.0, 0.1, weights.shape) for weights in network.get_weights()])  # no zeros

    for found, wanted in zip(compile_forward(network)(*tensors), network(tensors, training=False), strict=True):
        assert ops.convert_to_numpy(found) == pytest.approx(ops.convert_to_numpy(wanted), abs=TOLERANCE)


def test_weights_that_change_are_seen_by_a_pass_that_is_not_compiled_yet() -> None:
    network = build_network(STEPS, FEATURES, NetworkSpec(units=4))
    tensors = [tf.constant(array) for array in inputs()]
    before = ops.convert_to_numpy(forward(network, *tensors)[0])

    network.set_weights([weights + 0.5 for weights in network.get_weights()])

    assert np.abs(ops.convert_to_numpy(forward(network, *tensors)[0]) - before).max() > 0.01
