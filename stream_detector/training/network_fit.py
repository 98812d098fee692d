"""Fits the network: random masks, a decaying learning rate, and early stopping on each sensor's latest windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from stream_detector.model.input_scaling import lost_rows
from stream_detector.model.network import decoded_rows, hidden_rows, negative_log_likelihood
from stream_detector.model.tensor_types import Tensor
from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.training.attention_effect import effect_loss, without_a_step
from stream_detector.training.preparation import Prepared, TrainingConfig
from stream_detector.training.starting_weights import starts_from_built_in

#: Called with (phase, done, total, loss or None) during the training.
Progress = Callable[[str, int, int, float | None], None]
#: Share of the windows that miss whole features, and how many at most, so that the network learns to do without.
LOST_SHARE, MOST_LOST = 0.25, 2
#: Share of the steps that a network needs which starts from the built-in weights (docs/built-in.md#what-train-starts-from).
STARTED_SHARE = 0.7
FITTING, CALIBRATING, GATE_TRIALS = "fitting", "calibrating", "gate trials"


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of the fit, one per round: mean negative log likelihoods of masked values, in scaled units."""

    steps: list[int]
    training: list[float]
    validation: list[float]
    validation_of_carrying: float  # of repeating the last visible value, with one spread for all


class WindowSource(Protocol):
    """Windows to fit a network to, as Prepared has them; F features."""

    @property
    def scored(self) -> BoolArray:
        """Which features are scored [F]."""

    def covariates(self, ends: Int64Array, /) -> Float32Array:
        """Return the static covariates [N, 2F] of windows."""

    def scaled_windows(self, ends: Int64Array, lost: BoolArray | None = None, /) -> tuple[Float32Array, BoolArray]:
        """Return windows [N, T, F], filled and scaled, without the features `lost` [N, F], and which values are present."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of the fit: N windows of T rows, F features; R decoded rows."""

    values: Float32Array  # [N, T, F] a masked value is the last visible one
    visible: Float32Array  # [N, T, F]
    observed: Float32Array  # [N, T]
    covariates: Float32Array  # [N, 2F]
    target: Float32Array  # [N, R, F]
    weight: Float32Array  # [N, R, F] 1 for values that were present and are masked
    hidden: BoolArray  # [N, T, F] the masked values

    @property
    def inputs(self) -> list[Float32Array]:
        """The inputs of the network."""
        return [self.values, self.visible, self.observed, self.covariates]


def fit(network: keras.Model, prepared: Prepared, progress: Progress) -> Losses:
    """Fit the network in place and return the losses; the network keeps the weights of the best validation loss."""
    split, config = prepared.split, prepared.config
    rng = np.random.default_rng(config.seed)
    ends = sample(rng, split.fit, config.max_windows)
    steps = config.steps or _usual_steps(len(ends), config)
    validation = batch_of(prepared, sample(rng, split.validation, config.max_validation_windows), rng)
    optimizer = _optimizer(config, steps)
    train_step, validation_loss = compile_steps(network, optimizer, validation, not config.free_attention)
    lots = np.random.default_rng((config.seed, 1))  # the batches do not depend on what attention learns by
    losses = Losses([], [], [], _repetition_loss(validation))
    best, best_weights, recent = math.inf, network.get_weights(), []
    for step, chosen in enumerate(_batches(rng, ends, config.batch_size, steps), start=1):
        batch = batch_of(prepared, chosen, rng)
        recent.append(train_step(batch.inputs, batch.target, batch.weight, without_a_step(batch.inputs, batch.hidden, lots)))
        progress(FITTING, step, steps, losses.validation[-1] if losses.validation else None)
        if step % config.round_steps and step < steps:
            continue
        losses.steps.append(step)
        losses.training.append(float(np.mean([float(loss) for loss in recent])))
        losses.validation.append(float(validation_loss()))
        recent.clear()
        if losses.validation[-1] < best:
            best, best_weights = losses.validation[-1], network.get_weights()
        elif step - losses.steps[int(np.argmin(losses.validation))] >= config.patience * config.round_steps:
            break
    network.set_weights(best_weights)
    return losses


def _usual_steps(windows: int, config: TrainingConfig) -> int:
    """Return the steps for so many windows; fewer do where the network starts from fitted weights."""
    steps = min(max(250, 4 * windows // config.batch_size), 1_000)
    return round(STARTED_SHARE * steps) if starts_from_built_in(config) else steps


def sample(rng: np.random.Generator, ends: Int64Array, most: int) -> Int64Array:
    """Return at most `most` of the ends, in order."""
    return ends if len(ends) <= most else np.sort(rng.choice(ends, most, replace=False))


def batch_of(source: WindowSource, ends: Int64Array, rng: np.random.Generator) -> Batch:
    """Return the windows that end at these rows, with values masked at random.

    Half of the windows have all scored features of the newest T/8 rows masked; the others have some of the features masked in
    the newest T/4, to be predicted from the other features.
    """
    count, features = len(ends), len(source.scored)
    scaled, present = source.scaled_windows(ends, _lost_features(count, features, rng))
    steps = scaled.shape[1]
    candidates = np.flatnonzero(source.scored)
    masks_all = (rng.random(count) < 0.5) | (len(candidates) == 1)
    chosen = rng.random((count, len(candidates))) < rng.choice([0.25, 0.5], count)[:, np.newaxis]
    none = np.flatnonzero(~chosen.any(axis=1))
    chosen[none, rng.integers(len(candidates), size=len(none))] = True
    chosen[masks_all] = True
    rows = decoded_rows(steps)
    depth = np.where(masks_all, hidden_rows(steps), rows)
    hidden = np.zeros((count, steps, features), np.bool_)
    late = np.arange(steps) >= steps - depth[:, np.newaxis]
    hidden[:, :, candidates] = late[:, :, np.newaxis] & chosen[:, np.newaxis, :]
    on_line = lost_rows(present)[:, :, np.newaxis] & present.any(axis=1, keepdims=True)
    last = np.take_along_axis(scaled, (steps - depth - 1)[:, np.newaxis, np.newaxis], axis=1)
    return Batch(
        values=np.where(hidden, last, scaled),
        visible=((present | on_line) & ~hidden).astype(np.float32),
        observed=np.asarray(present.any(axis=2), np.float32),
        covariates=source.covariates(ends),
        target=scaled[:, -rows:],
        weight=(hidden & present)[:, -rows:].astype(np.float32),
        hidden=hidden,
    )


def _lost_features(count: int, features: int, rng: np.random.Generator) -> BoolArray:
    """Draw which features [N, F] are missing in whole windows: one or two in LOST_SHARE of the windows."""
    lost = np.zeros((count, features), np.bool_)
    most = min(MOST_LOST, features - 1)
    if most:
        chosen = np.flatnonzero(rng.random(count) < LOST_SHARE)
        for _ in range(most):  # drawing a feature twice loses one
            lost[chosen, rng.integers(features, size=len(chosen))] = True
    return lost


def compile_steps(
    network: keras.Model, optimizer: keras.optimizers.Optimizer, validation: Batch, learns_effect: bool
) -> tuple[Callable[..., Tensor], Callable[[], Tensor]]:
    """Compile two functions: a training step, which returns the loss of its batch, and the validation loss.

    If it `learns_effect`, the attention layer learns by effect_loss too.
    """
    variables = network.trainable_variables
    attention = network.get_layer("attention").trainable_variables if learns_effect else []
    paths = [variable.path for variable in variables]
    optimizer.build(variables)

    # AutoGraph would write a file for each function that it reads, and leave those of a process that is killed.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def train_step(inputs: list[Tensor], target: Tensor, weight: Tensor, without: tuple[list[Tensor], Tensor]) -> Tensor:
        less, taken = without
        other = network(less, training=False)[0] if attention else None
        with tf.GradientTape() as tape, tf.GradientTape() as of_effect:
            head, weights = network(inputs, training=True)
            loss = negative_log_likelihood(target, weight, head)
            by_effect = effect_loss(head, other, weight, weights, taken) if attention else loss
        gradients = dict(zip(paths, tape.gradient(loss, variables), strict=True))
        for variable, gradient in zip(attention, of_effect.gradient(by_effect, attention), strict=True):
            gradients[variable.path] += gradient
        # Without this a weight may change while the windows without a step still read it: equal seeds gave other models.
        with tf.control_dependencies([by_effect]):
            optimizer.apply_gradients(zip(gradients.values(), variables, strict=True))
        return loss

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # see above
    def validation_loss() -> Tensor:
        head, _ = network(validation.inputs, training=False)
        return negative_log_likelihood(validation.target, validation.weight, head)

    return train_step, validation_loss


def _repetition_loss(batch: Batch) -> float:
    """Return the loss of predicting the last visible value, with the one spread that fits it best."""
    changes = batch.target - batch.values[:, -batch.target.shape[1] :]
    squares = float((np.square(changes) * batch.weight).sum() / max(float(batch.weight.sum()), 1.0))
    return 0.5 + 0.5 * math.log(max(squares, 1e-12))


def _optimizer(config: TrainingConfig, steps: int) -> keras.optimizers.Optimizer:
    rate = keras.optimizers.schedules.PolynomialDecay(config.first_learning_rate, steps, config.last_learning_rate)
    return keras.optimizers.Adam(rate, clipnorm=config.clip_norm)


def _batches(rng: np.random.Generator, ends: Int64Array, size: int, steps: int) -> Iterator[Int64Array]:
    """Yield batches of one size: every window once in random order, then all of them again in another order."""
    waiting = np.empty(0, np.int64)
    for _ in range(steps):
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(ends)])
        yield waiting[:size]
        waiting = waiting[size:]
