"""Measures the windows per second of the product's training, with linear members and calibration, and of Keras' `fit`.

`fit` gets the same network, optimizer, loss, batch size and number of windows, prepared ahead; the product prepares its own:
it hides other values at every step, and looks at its validation loss. Trying the members on faults comes on top.
"""

from __future__ import annotations

import math
import time

import keras
import numpy as np

from stream_detector.model.network import build_network, negative_log_likelihood
from stream_detector.model.tensor_types import Tensor
from stream_detector.training.network_fit import batch_of
from stream_detector.training.preparation import Prepared
from stream_detector.training.trainer import train
from tests.benchmarks.performance.figures import NEITHER, Figure, Places, RunSize
from tests.benchmarks.performance.models import LARGE, SMALL, prepared_training

PART = "training"
TRIALS = "trials"


def measure(places: Places, size: RunSize) -> list[Figure]:  # noqa: ARG001 - the signature of all parts
    """Train and fit: the large model, in a full run the small one as well, each for as long as the default is."""
    large = _figures(LARGE, steps=size.choose(150, None), key="training_over_plain_fit")
    return large if size.quick else large + _figures(SMALL, steps=None, key=None)


def _figures(shape: tuple[int, int], *, steps: int | None, key: str | None) -> list[Figure]:
    window_length, features = shape
    name = f"window {window_length}, {features} feature{'s' if features > 1 else ''}"
    prepared = prepared_training(window_length, features, steps)
    seconds, taken = _train(prepared)
    windows = taken * prepared.config.batch_size
    calibrated = windows / sum(spent for phase, spent in seconds.items() if phase != TRIALS)
    plain = _plain_fit(prepared, taken)
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
    """Return the windows per second of `compile` and `fit`, over as many steps; of as many distinct windows as training has."""
    config = prepared.config
    features = len(prepared.dataset.features)
    epochs = math.ceil(steps * config.batch_size / config.max_windows)
    count = steps // epochs * config.batch_size
    rng = np.random.default_rng(config.seed)
    batch = batch_of(prepared, rng.choice(prepared.split.fit, count), rng)
    target = np.concatenate([batch.target, batch.weight], axis=-1)

    def loss(expected: Tensor, head: Tensor) -> Tensor:
        return negative_log_likelihood(expected[:, :, :features], expected[:, :, features:], head)

    network = build_network(config.window_length, features, config.network, config.seed)
    model = keras.Model(network.inputs, network.outputs[0])
    began = time.perf_counter()
    model.compile(optimizer=keras.optimizers.Adam(config.first_learning_rate, clipnorm=config.clip_norm), loss=loss)
    model.fit(batch.inputs, target, batch_size=config.batch_size, epochs=epochs, verbose=0)
    return epochs * count / (time.perf_counter() - began)
