"""Windows a second of the product's training, its linear members and calibration included, against Keras' own `fit`.

`fit` gets the same network, optimizer, loss, batch size and number of windows, prepared ahead; the product prepares its own:
it hides other values at every step, and looks at its validation loss. Trying the members on faults comes on top.
"""

from __future__ import annotations

import time

import keras
import numpy as np
from keras import ops

from stream_detector.model.fitting import batch_of
from stream_detector.model.network import build_network, negative_log_likelihood
from stream_detector.model.preparation import Prepared
from stream_detector.model.tensors import Tensor
from stream_detector.model.training import train
from stream_detector.readings import Float32Array
from tests.benchmarks.performance.figures import NEITHER, Figure, Places, Size
from tests.benchmarks.performance.models import LARGE, SMALL, prepared_training

PART = "training"
TRIALS = "trials"


def measure(places: Places, size: Size) -> list[Figure]:  # noqa: ARG001 - the signature of all parts
    """Train and fit; the headline is the ratio of the large model in a full run, of the small one in a quick run."""
    if size.quick:
        return _figures(SMALL, steps=150, key="training_over_plain_fit")
    full = _figures(LARGE, steps=None, key="training_over_plain_fit")
    return _figures(SMALL, steps=None, key=None) + full


def _figures(shape: tuple[int, int], *, steps: int | None, key: str | None) -> list[Figure]:
    window_length, features = shape
    name = f"window {window_length}, {features} feature{'s' if features > 1 else ''}"
    prepared = prepared_training(window_length, features, steps)
    seconds, taken = _train(prepared)
    windows = taken * prepared.config.batch_size
    calibrated = windows / sum(spent for phase, spent in seconds.items() if phase != TRIALS)
    plain = windows / _plain_fit(prepared, taken)
    phases = [
        Figure(PART, f"{phase.replace('_', ' ')}, {name}", spent, "s", better=NEITHER) for phase, spent in seconds.items()
    ]
    return [
        Figure(PART, f"calibrated, {name}", calibrated, "windows/s"),
        Figure(PART, f"calibrated and tried on faults, {name}", windows / sum(seconds.values()), "windows/s"),
        Figure(PART, f"plain fit, {name}", plain, "windows/s", better=NEITHER),
        Figure(PART, f"calibrated over plain fit, {name}", calibrated / plain, "ratio", key),
        Figure(PART, f"windows fitted, {name}", windows, "windows", better=NEITHER),
        *phases,
    ]


def _train(prepared: Prepared) -> tuple[dict[str, float], int]:
    """Train; return seconds by phase and the number of steps that it took, which may end early."""
    report = train(prepared, lambda *_: None).artifact.report
    return dict(report["phase_seconds"]), int(report["losses"]["steps"][-1])


def _plain_fit(prepared: Prepared, steps: int) -> float:
    """Return the seconds that `compile` and `fit` take for as many steps."""
    config, split = prepared.config, prepared.split
    features = len(prepared.dataset.features)
    rng = np.random.default_rng(config.seed)
    batch = batch_of(prepared, rng.choice(split.fit, steps * config.batch_size), rng)
    target = np.concatenate([batch.target, batch.weight], axis=-1)

    def loss(expected: Tensor, head: Tensor) -> Tensor:
        return negative_log_likelihood(expected[:, :, :features], expected[:, :, features:], head)

    return _seconds_of_fit(prepared, batch.inputs, target, loss)


def _seconds_of_fit(prepared: Prepared, inputs: list[Float32Array], target: Float32Array, loss: object) -> float:
    config = prepared.config
    network = build_network(config.window_length, len(prepared.dataset.features), config.network, config.seed)
    model = keras.Model(network.inputs, ops.identity(network.outputs[0]))
    began = time.perf_counter()
    model.compile(optimizer=keras.optimizers.Adam(config.first_learning_rate, clipnorm=config.clip_norm), loss=loss)
    model.fit(inputs, target, batch_size=config.batch_size, epochs=1, verbose=0)
    return time.perf_counter() - began
