"""Fit the network: sampled windows, a falling learning rate, early stopping on each sensor's latest windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np

from stream_detector.model.autoencoder import masked_mean_absolute_error
from stream_detector.model.preparation import Prepared, TrainingConfig
from stream_detector.model.samples import gather
from stream_detector.model.scaling import Scaler
from stream_detector.readings import Float32Array, Int64Array

#: Called with (phase, done, total, loss or None) as the training goes on.
Progress = Callable[[str, int, int, float | None], None]
FITTING, CALIBRATING = "fitting", "calibrating"


@dataclass(frozen=True, slots=True)
class Losses:
    """How the fit went, one value per round; mean absolute errors in scaled units."""

    steps: list[int]
    training: list[float]
    validation: list[float]
    validation_of_zero: float  # what giving back the mean of every feature would lose


def fit(network: keras.Model, prepared: Prepared, progress: Progress) -> Losses:
    """Fit the network in place; it ends with the weights of the best validation loss."""
    values, split, scaler, config = prepared.dataset.values, prepared.split, prepared.scaler, prepared.config
    rng = np.random.default_rng(config.seed)
    ends = _sample(rng, split.fit, config.max_windows)
    hidden_share = config.hidden_share
    if hidden_share is None:
        hidden_share = 0.25 if config.network.decoder == "sequence" else 0.0
    steps = config.steps or min(max(250, 4 * len(ends) // config.batch_size), 1_000)
    network.compile(_optimizer(config, steps), masked_mean_absolute_error)
    watched = gather(values, _sample(rng, split.validation, config.max_validation_windows), config.window_length)
    validation = _batch(watched, scaler)
    losses = Losses([], [], [], float(np.nanmean(np.abs(validation[1]))))
    best, best_weights = math.inf, network.get_weights()
    for step, chosen in enumerate(_batches(rng, ends, config.batch_size, steps), start=1):
        batch = _batch(gather(values, chosen, config.window_length), scaler, rng, hidden_share)
        loss = float(network.train_on_batch(*batch))  # the mean since the metrics were reset
        progress(FITTING, step, steps, losses.validation[-1] if losses.validation else None)
        if step % config.round_steps and step < steps:
            continue
        network.reset_metrics()
        watched_loss = float(network.test_on_batch(*validation))
        network.reset_metrics()
        losses.steps.append(step)
        losses.training.append(loss)
        losses.validation.append(watched_loss)
        if watched_loss < best:
            best, best_weights = watched_loss, network.get_weights()
        elif step - losses.steps[int(np.argmin(losses.validation))] >= config.patience * config.round_steps:
            break
    network.set_weights(best_weights)
    return losses


def _optimizer(config: TrainingConfig, steps: int) -> keras.optimizers.Optimizer:
    rate = keras.optimizers.schedules.PolynomialDecay(config.first_learning_rate, steps, config.last_learning_rate)
    return keras.optimizers.Adam(rate, clipnorm=config.clip_norm)


def _sample(rng: np.random.Generator, ends: Int64Array, most: int) -> Int64Array:
    return ends if len(ends) <= most else np.sort(rng.choice(ends, most, replace=False))


def _batches(rng: np.random.Generator, ends: Int64Array, size: int, steps: int) -> Iterator[Int64Array]:
    """Yield batches of one size: every window once, shuffled, then again in another order."""
    waiting = np.empty(0, np.int64)
    for _ in range(steps):
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(ends)])
        yield waiting[:size]
        waiting = waiting[size:]


def _batch(
    windows: Float32Array, scaler: Scaler, rng: np.random.Generator | None = None, hidden_share: float = 0.0
) -> tuple[list[Float32Array], Float32Array]:
    """Return ([values, present], target); hidden steps look missing in the input, and are there in the target."""
    filled, present = scaler.fill(windows)
    target = np.where(present, scaler.scale(filled), np.float32(np.nan))
    if rng is not None and hidden_share > 0.0:
        hidden = rng.random(windows.shape[:2]) < hidden_share
        filled, present = scaler.fill(np.where(hidden[:, :, np.newaxis], np.float32(np.nan), windows))
    return [scaler.scale(filled), present.astype(np.float32)], target
