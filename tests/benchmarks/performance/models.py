"""Trains the models to measure: the product's own training on a simulated fleet, with its default network and members.

Few gradient steps: speed does not depend on how well a model is fitted, and the alarm rate is held by the calibration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from stream_detector.model_store.serialization import SCHEMA_VERSION
from stream_detector.readings import Float32Array
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.tables.dataset import Dataset
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare

if TYPE_CHECKING:
    from stream_detector.training.gate_run import GateRun

#: Windows and features of the models: what the goal is about, and what a richer one costs.
SMALL, LARGE = (32, 1), (64, 8)
START_MS = 1_767_225_600_000
#: Readings of each sensor in the training. Its sensors take few courses of the simulation, each at a time of its own.
READINGS, KNOWN_SENSORS, COURSES = 400, 1000, 16
#: A day of the plant is short, so that the training has seen all that comes later.
DWELL_SECONDS, CYCLE_SECONDS = 40.0, 150.0
STEPS = 250


def train_models(models: Path) -> None:
    """Train the missing models."""
    for window_length, features in (SMALL, LARGE):
        trained_model(models, window_length, features)


def trained_model(models: Path, window_length: int, features: int) -> Path:
    """Return the directory of a model; train the model first if it is missing."""
    directory = models / f"schema{SCHEMA_VERSION}-window{window_length}-features{features}"
    if not directory.is_dir():
        _train(directory, window_length, features)
    return directory


def prepared_training(window_length: int, features: int, steps: int | None) -> Prepared:
    """Return the training data for a model of this shape; `steps` as in TrainingConfig."""
    config = TrainingConfig(name=f"window{window_length}-features{features}", window_length=window_length, steps=steps)
    return prepare(_dataset(features), config)


def feature_names(features: int) -> tuple[str, ...]:
    """Name features: those of one pump, then those of the next."""
    pumps = -(-features // len(FEATURES))
    names = [name if number == 0 else f"{name}_{number + 1}" for number in range(pumps) for name in FEATURES]
    return tuple(names[:features])


def known_sensors() -> list[str]:
    """Name the sensors of the training: the models know their scales and levels."""
    return [f"pump-{number + 1}" for number in range(KNOWN_SENSORS)]


def course_of(number: int) -> tuple[int, int]:
    """Return which course the known sensor of this number takes, and from which of its readings on."""
    return number % COURSES, number // COURSES


def healthy_values(features: int, sensors: int, readings: int, first: int = 0) -> Float32Array:
    """Return readings [S, N, F], one a second, from the `first` of a fleet's life on; nothing is wrong with it."""
    start_ms = START_MS + 1000 * first
    pumps = -(-features // len(FEATURES))
    fleets = [Fleet(sensors, 7 + number, dwell_seconds=DWELL_SECONDS, cycle_seconds=CYCLE_SECONDS) for number in range(pumps)]
    values = [fleet.readings(start_ms, readings)[1] for fleet in fleets]
    return np.concatenate(values, axis=2)[:, :, :features].astype(np.float32)


def _dataset(features: int) -> Dataset:
    courses = healthy_values(features, COURSES, READINGS + -(-KNOWN_SENSORS // COURSES))
    places = [course_of(number) for number in range(KNOWN_SENSORS)]
    times_ms = START_MS + 1000 * np.arange(READINGS, dtype=np.int64)
    return Dataset(
        features=feature_names(features),
        sensors=tuple(known_sensors()),
        codes=np.repeat(np.arange(KNOWN_SENSORS, dtype=np.int32), READINGS),
        times_ms=np.tile(times_ms, KNOWN_SENSORS),
        values=np.concatenate([courses[course, begin : begin + READINGS] for course, begin in places]),
        rows=np.arange(KNOWN_SENSORS * READINGS, dtype=np.int64),
    )


def _train(directory: Path, window_length: int, features: int) -> None:
    from stream_detector.model_store.model_directory import save_artifact
    from stream_detector.training import trainer as product
    from stream_detector.training.gate_run import run_gate
    from stream_detector.training.plot import draw_training

    prepared = prepared_training(window_length, features, STEPS)
    # A sensor is known only if it is calibrated: all of them, whatever the default allows.
    config = replace(prepared.config, max_calibration_windows=len(prepared.dataset))
    # All members are kept, whatever the trials say: one that is left out costs nothing, and would not be measured.
    with patch.object(product, "run_gate", partial(_with_all_members, run_gate)):
        training = product.train(replace(prepared, config=config), lambda *_: None)
    directory.parent.mkdir(parents=True, exist_ok=True)
    picture = draw_training(training.losses, training.example, feature_names(features))
    save_artifact(training.artifact, directory, picture)


def _with_all_members(run_gate: Callable[..., GateRun], *given: object) -> GateRun:
    run = run_gate(*given)
    return replace(run, weights=np.full(len(run.weights), 1.0 / len(run.weights)))
