"""Machines that stop and start, from training to incidents: a usual start opens none, and a fault at a start does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.detection.detector import Detector
from stream_detector.detection.transition import OPENED
from stream_detector.model.artifact import NetworkSpec
from stream_detector.readings import Float32Array, Readings
from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import load_settings
from stream_detector.tables.dataset import Dataset
from stream_detector.training.preparation import TrainingConfig, prepare
from stream_detector.training.trainer import train

WINDOW, MACHINES, RUN, STOP = 16, 4, 300, 40
START_MS, EVERY_MS = 1_767_225_600_000, 60_000
CONFIG = TrainingConfig(window_length=WINDOW, network=NetworkSpec(units=4, attention_units=4), steps=4, batch_size=32, seed=3)


class Plant(NamedTuple):
    scorer: KerasScorer
    settings: Settings


def run_of(machine: int, number: int, fault: float = 0.0) -> Float32Array:
    """Return the readings [RUN, 3] of a machine from a start on, in deviations of steady running.

    It starts far below, and is at its usual level within a dozen readings. A fault is in the first feature.
    """
    random = np.random.default_rng([machine, number])
    noise = random.normal(size=(RUN + 20, 3))
    steady = np.stack([np.convolve(column, 0.6 ** np.arange(6), "same") for column in noise.T], axis=1)[:RUN]
    cold = random.uniform(0.9, 1.1) * np.exp(-np.arange(RUN) / 4.0)
    values = steady + 10.0 * machine - 20.0 * cold[:, np.newaxis] * [1.0, 0.7, -0.5]
    values[:, 0] += fault
    return values.astype(np.float32)


def history(runs: int) -> Dataset:
    """Return runs of each machine, with a stop between two, in which nothing is sent."""
    at = np.concatenate([number * (RUN + STOP) + np.arange(RUN) for number in range(runs)])
    return Dataset(
        ("flow", "speed", "load"),
        tuple(f"machine-{machine}" for machine in range(MACHINES)),
        np.repeat(np.arange(MACHINES, dtype=np.int32), len(at)),
        np.tile(START_MS + EVERY_MS * at, MACHINES),
        np.concatenate([run_of(machine, number) for machine in range(MACHINES) for number in range(runs)]),
        np.arange(MACHINES * len(at)),
    )


@pytest.fixture(scope="module")
def plant() -> Plant:
    artifact = train(prepare(history(6), CONFIG), lambda *_: None).artifact
    return Plant(KerasScorer(artifact, tile_rows=48), load_settings(None, None))


def opened(plant: Plant, runs: int, fault: float = 0.0) -> list[tuple[int, int]]:
    """Return in which run of any machine, and at which of its readings, incidents open; the fault is in all of the last run."""
    detector: Detector = build_detector(plant.scorer, plant.settings.state, plant.settings.alerts, plant.settings.rules)
    detector.arena.make_room(MACHINES)
    names = [f"machine-{machine}" for machine in range(MACHINES)]
    detector.admit_new(0, names)
    found = []
    for number in range(runs):
        size = fault if number == runs - 1 else 0.0
        values = np.stack([run_of(machine, 100 + number, size) for machine in range(MACHINES)], axis=1)
        at = (200 + number) * (RUN + STOP) + np.repeat(np.arange(RUN, dtype=np.int64), MACHINES)
        offsets = np.arange(len(at), dtype=np.int64) + number * len(at)
        partitions = np.zeros(len(at), np.int32)
        batch = Readings(names * RUN, partitions, offsets, START_MS + EVERY_MS * at, values.reshape(len(at), -1))
        detected = detector.detect(batch)
        assert detected.decisions is not None
        changes = [one.position for one in detected.decisions.transitions if one.status == OPENED]
        found += [(number, int(detected.appended.reading[at]) // MACHINES) for at in changes]
    return found


def test_the_usual_starts_of_known_machines_open_no_incident(plant: Plant) -> None:
    assert [reading for _, reading in opened(plant, runs=10) if reading < 2 * WINDOW] == []


def test_a_fault_from_the_first_reading_of_a_start_opens_an_incident_when_the_window_is_full(plant: Plant) -> None:
    found = opened(plant, runs=2, fault=-8.0)

    assert [number for number, _ in found] == [1] * MACHINES
    assert max(reading for _, reading in found) < 1.5 * WINDOW


def test_a_start_that_is_far_from_all_others_opens_an_incident_before_the_window_is_full(plant: Plant) -> None:
    found = opened(plant, runs=2, fault=-60.0)

    assert [number for number, _ in found] == [1] * MACHINES
    assert max(reading for _, reading in found) < WINDOW
