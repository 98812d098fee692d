"""Fits the weights that `train` starts from and writes them into the package.

    python -m stream_detector.training.built_in_network

The network is the one that `train` fits, with 32 features, and so are loss, masks and what attention learns by. The windows are
random mixtures of random series (simulation/random_mixtures.py), so no reading of a real machine is in the weights. Each batch
has another number of features; those that a window does not have are neither shown nor predicted, which is a network of fewer
features. Equal arguments give equal weights on machines of one kind. Takes about ten minutes of one processor.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import keras
import numpy as np

from stream_detector.model.input_scaling import fill, scale
from stream_detector.model.network import build_network
from stream_detector.model_store.arrays import write_arrays
from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.simulation.random_mixtures import SeriesPool
from stream_detector.training.attention_effect import without_a_step
from stream_detector.training.network_fit import Batch, batch_of, compile_steps
from stream_detector.training.starting_weights import NETWORK, PLACE, SLOTS, WINDOW_LENGTH, packed

_FIRST_RATE, _LAST_RATE, _CLIP_NORM = 3e-3, 5e-5, 1.0
#: Random series are told apart by their numbers; the figures of the built-in model are made from those before this one.
_FIRST_SERIES = 10_000
_REPORTED_STEPS = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the weights are made from."""

    series: int = 3_000
    readings: int = 1_024  # of each series
    steps: int = 3_000
    batch_size: int = 128
    seed: int = 1


@dataclass(frozen=True, slots=True)
class RandomWindows:
    """Windows of F features for batch_of, other ones at each call; how many, the ends say."""

    pool: SeriesPool
    features: int
    rng: np.random.Generator

    @property
    def scored(self) -> BoolArray:
        """All features [F]."""
        return np.ones(self.features, np.bool_)

    def covariates(self, ends: Int64Array) -> Float32Array:
        """Return zeros [N, 2F]: a series knows no fleet."""
        return np.zeros((len(ends), 2 * self.features), np.float32)

    def scaled_windows(self, ends: Int64Array, lost: BoolArray | None = None) -> tuple[Float32Array, BoolArray]:
        """Return windows [N, T, F] without the features `lost` [N, F], and which values are present."""
        windows = self.pool.windows(self.rng, len(ends), self.features, WINDOW_LENGTH)
        if lost is not None:
            windows = np.where(lost[:, np.newaxis], np.float32(np.nan), windows)
        location = np.zeros((len(ends), self.features), np.float32)
        filled, present = fill(windows, location)
        return np.asarray(scale(filled, location, location + 1.0), np.float32), present


def fit_starting_network(recipe: Recipe) -> dict[str, Float32Array]:
    """Return the weights of a network of SLOTS features, by the path of the variable. Blocks."""
    rng, lots = np.random.default_rng(recipe.seed), np.random.default_rng((recipe.seed, 1))
    numbers = range(_FIRST_SERIES, _FIRST_SERIES + recipe.series)
    pool = SeriesPool.draw(recipe.seed, numbers, recipe.readings)
    network = build_network(WINDOW_LENGTH, SLOTS, NETWORK, recipe.seed)
    rate = keras.optimizers.schedules.PolynomialDecay(_FIRST_RATE, recipe.steps, _LAST_RATE)
    optimizer = keras.optimizers.Adam(rate, clipnorm=_CLIP_NORM)
    train_step, _ = compile_steps(network, optimizer, draw_batch(pool, rng, recipe.batch_size), learns_effect=True)
    losses: list[float] = []
    for step in range(1, recipe.steps + 1):
        batch = draw_batch(pool, rng, recipe.batch_size)
        without = without_a_step(batch.inputs, batch.hidden, lots)
        losses.append(float(train_step(batch.inputs, batch.target, batch.weight, without)))
        if step % _REPORTED_STEPS == 0:
            recent = np.mean(losses[-_REPORTED_STEPS:])
            print(f"step {step:,} of {recipe.steps:,}: loss {recent:.3f}", flush=True)  # noqa: T201 - a tool
    return {variable.path: np.asarray(variable.numpy()) for variable in network.weights}


def draw_batch(pool: SeriesPool, rng: np.random.Generator, size: int) -> Batch:
    """Return a batch of windows of a random number of features, small numbers as often as large ones, in SLOTS of them."""
    features = int(np.exp(rng.uniform(0.0, np.log(SLOTS + 1))))
    batch = batch_of(RandomWindows(pool, features, rng), np.zeros(size, np.int64), rng)
    width = ((0, 0), (0, 0), (0, SLOTS - features))
    values, visible, target, weight = (
        np.pad(array, width) for array in (batch.values, batch.visible, batch.target, batch.weight)
    )
    covariates = np.zeros((size, 2 * SLOTS), np.float32)
    return Batch(values, visible, batch.observed, covariates, target, weight, np.pad(batch.hidden, width))


def main() -> None:
    """Fit the weights with the recipe, or another, and write them into the package, or elsewhere."""
    parser = argparse.ArgumentParser(description="Fit the weights that `train` starts from to random series.")
    parser.add_argument("--output", type=Path, default=PLACE, metavar="FILE", help=f"(default: {PLACE})")
    for one in fields(Recipe):
        option = f"--{one.name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=one.default, metavar="N", help=f"(default: {one.default:,})")
    options = vars(parser.parse_args())
    output = options.pop("output")
    output.write_bytes(write_arrays(packed(fit_starting_network(Recipe(**options)))))
    print(f"{output}: {output.stat().st_size:,} bytes")  # noqa: T201 - a tool


if __name__ == "__main__":
    main()
