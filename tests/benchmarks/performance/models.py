"""The models that are measured: the product's own training on a simulated fleet, with its default network and members.

Few gradient steps: speed does not depend on how well a model is fitted, and the alarm rate is held by the calibration.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream_detector.dataset import Dataset
from stream_detector.model.preparation import Prepared, TrainingConfig, prepare
from stream_detector.readings import Float32Array
from stream_detector.simulation.fleet import FEATURES, Fleet

#: Windows and features of the models: what the goal is about, and what a richer one costs.
SMALL, LARGE = (32, 1), (64, 8)
START_MS = 1_767_225_600_000
#: Sensors and readings of each in the training.
PUMPS, READINGS = 12, 1500
STEPS = 250


def trained_model(models: Path, window_length: int, features: int) -> Path:
    """Return the directory of a model, trained now if it is not there."""
    directory = models / f"window{window_length}-features{features}"
    if not directory.is_dir():
        _train(directory, window_length, features)
    return directory


def prepared_training(window_length: int, features: int, steps: int | None, readings: int = READINGS) -> Prepared:
    """Return what a model of this shape is trained on."""
    config = TrainingConfig(name=f"benchmark-{features}", window_length=window_length, steps=steps)
    return prepare(_dataset(features, readings), config)


def feature_names(features: int) -> tuple[str, ...]:
    """Name features: those of a pump, then those of the pump beside it."""
    pumps = -(-features // len(FEATURES))
    names = [name if number == 0 else f"{name}_{number + 1}" for number in range(pumps) for name in FEATURES]
    return tuple(names[:features])


def sensor_names(count: int) -> list[str]:
    """Name sensors; the first PUMPS are known to the models."""
    return [f"pump-{number + 1}" for number in range(count)]


def healthy_values(features: int, sensors: int, readings: int, first: int = 0) -> Float32Array:
    """Return readings [S, N, F], one a second, from the `first` of a fleet's life on; nothing is wrong with it."""
    start_ms = START_MS + 1000 * first
    pumps = -(-features // len(FEATURES))
    values = [Fleet(sensors=sensors, seed=7 + number).readings(start_ms, readings)[1] for number in range(pumps)]
    return np.concatenate(values, axis=2)[:, :, :features].astype(np.float32)


def _dataset(features: int, readings: int) -> Dataset:
    times_ms = START_MS + 1000 * np.arange(readings, dtype=np.int64)
    return Dataset(
        features=feature_names(features),
        sensors=tuple(sensor_names(PUMPS)),
        codes=np.repeat(np.arange(PUMPS, dtype=np.int32), readings),
        times_ms=np.tile(times_ms, PUMPS),
        values=healthy_values(features, PUMPS, readings).reshape(-1, features),
        rows=np.arange(PUMPS * readings, dtype=np.int64),
    )


def _train(directory: Path, window_length: int, features: int) -> None:
    from stream_detector.model.picture import draw_training
    from stream_detector.model.saving import save_artifact
    from stream_detector.model.training import train

    training = train(prepared_training(window_length, features, STEPS), lambda *_: None)
    directory.parent.mkdir(parents=True, exist_ok=True)
    picture = draw_training(training.losses, training.example, feature_names(features))
    save_artifact(training.artifact, directory, picture)
