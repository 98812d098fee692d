"""A tiny trained model, shared by the tests that need one: features temperature and pressure, windows of 8 readings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_detector.readings import Float32Array
from stream_detector.tables.dataset import Dataset
from tests.sharing import computed_once, shared_directory

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer
    from stream_detector.model.artifact import Artifact
    from stream_detector.training.trainer import Training

# A test trains before it scores, and TensorFlow keeps the number of threads it began with, on which the last bits of a score
# depend. The service uses one thread per operation (KerasScorer), so its scores are equal on any number of processors.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# As on the command line: on some processors oneDNN's matrix products differ in the last bits.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

WINDOW_LENGTH = 8
FEATURES = ("temperature", "pressure")


def tiny_values(readings: int, seed: int) -> Float32Array:
    """Return readings [N, 2] of a sensor whose pressure follows its temperature, with a little noise."""
    phase = np.arange(readings) / 5.0
    noise = np.random.default_rng(seed).normal(0.0, 0.05, (readings, 2))
    clean = np.column_stack([60.0 + 5.0 * np.sin(phase), 3.0 + np.sin(phase)])
    return (clean + noise).astype(np.float32)


def tiny_dataset(sensors: int = 2, readings: int = 400) -> Dataset:
    """Return a cleaned dataset of sensors read once a second."""
    count = sensors * readings
    return Dataset(
        features=FEATURES,
        sensors=tuple(f"pump-{number}" for number in range(sensors)),
        codes=np.repeat(np.arange(sensors, dtype=np.int32), readings),
        times_ms=np.tile(1_767_225_600_000 + 1000 * np.arange(readings, dtype=np.int64), sensors),
        values=np.concatenate([tiny_values(readings, seed) for seed in range(sensors)]),
        rows=np.arange(count, dtype=np.int64),
    )


@pytest.fixture(scope="session")
def tiny_training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """The training of the tiny model, once per test run."""
    return computed_once(shared_directory(tmp_path_factory), "tiny-training", _train)


def _train() -> Training:
    from stream_detector.model.artifact import NetworkSpec
    from stream_detector.training.preparation import TrainingConfig, prepare
    from stream_detector.training.trainer import train

    config = TrainingConfig(name="tiny", window_length=WINDOW_LENGTH, network=NetworkSpec(units=16), steps=150, batch_size=64)
    return train(prepare(tiny_dataset(), config), lambda *_: None)


@pytest.fixture(scope="session")
def tiny_artifact(tiny_training: Training) -> Artifact:
    """The tiny model."""
    return tiny_training.artifact


@pytest.fixture(scope="session")
def tiny_scorer(tiny_model_directory: Path) -> KerasScorer:
    """The tiny model, compiled once per worker: that takes ten seconds."""
    from stream_detector.adapters.keras_scorer import KerasScorer

    return KerasScorer(tiny_model_directory)


@pytest.fixture
def compiled_once(tiny_model_directory: Path, tiny_scorer: KerasScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands in this process that load the tiny model get the compiled one. Any other model is loaded and compiled."""
    from stream_detector.adapters import keras_scorer

    load = keras_scorer.KerasScorer

    def loaded(model: Path | Artifact, tile_rows: int = 256, threads: int = 1) -> KerasScorer:
        is_tiny = model == tiny_model_directory if isinstance(model, Path) else model.spec == tiny_scorer.spec
        return tiny_scorer if is_tiny else load(model, tile_rows, threads)

    monkeypatch.setattr(keras_scorer, "KerasScorer", loaded)


@pytest.fixture(scope="session")
def tiny_model_directory(tiny_training: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the tiny model; tests must not change it."""
    directory = tmp_path_factory.mktemp("models") / "tiny"
    _save(tiny_training, directory)
    return directory


def train_tiny_model(directory: Path) -> None:
    """Train the tiny model outside of a test run, into a directory."""
    _save(_train(), directory)


def _save(training: Training, directory: Path) -> None:
    from stream_detector.model_store.model_directory import save_artifact
    from stream_detector.training.plot import draw_training

    save_artifact(training.artifact, directory, draw_training(training.losses, training.example, FEATURES))
