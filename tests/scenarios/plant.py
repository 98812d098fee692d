"""The readings of a plant: pumps of the simulator, one reading a minute, and changes made to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float32Array, Float64Array, Int64Array
from stream_detector.simulation.fleet import FEATURES, Fleet
from stream_detector.tables.dataset import Dataset

START_MS = 1_767_225_600_000
MINUTE_MS = 60_000
DAY = 1440  # readings
FLEET = Fleet(sensors=8, seed=11, interval_seconds=60.0)
#: In the training data, but constant.
IDLE = "idle"
TRAINING_READINGS = 2 * DAY
TEST_START_MS = START_MS + TRAINING_READINGS * MINUTE_MS


def healthy(readings: int, sensor: int = 0, fleet: Fleet = FLEET) -> Float64Array:
    """Return a pump's readings after the training, values [N, F]."""
    times_ms = TEST_START_MS + MINUTE_MS * np.arange(readings, dtype=np.int64)
    return np.asarray(fleet.values(np.array([sensor]), times_ms)[0])


def idle(readings: int) -> Float64Array:
    """Return the readings of a constant sensor, values [N, F]."""
    return np.tile(np.array([21.0, 0.7, 0.0, 0.25, 0.0]), (readings, 1))


def shifted(values: Float64Array, feature: str, amount: float, first: int, last: int | None = None) -> Float64Array:
    """Return values [N, F] with an amount added to a feature, from reading `first` up to `last`."""
    changed = values.copy()
    changed[first:last, FEATURES.index(feature)] += amount
    return changed


def spread(feature: str, sensor: int = 0) -> float:
    """Return the standard deviation of a feature of a healthy pump."""
    return float(FLEET.spread()[sensor, FEATURES.index(feature)])


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor and its readings."""

    name: str
    values: Float64Array  # [N, F]


def table(*sensors: Sensor) -> Dataset:
    """Return the readings of sensors, equally many of each, ordered by time, one minute apart."""
    count = len(sensors[0].values)
    times_ms: Int64Array = TEST_START_MS + MINUTE_MS * np.arange(count, dtype=np.int64)
    values: Float32Array = np.stack([one.values for one in sensors], axis=1).reshape(-1, len(FEATURES)).astype(np.float32)
    return Dataset(
        features=FEATURES,
        sensors=tuple(one.name for one in sensors),
        codes=np.tile(np.arange(len(sensors), dtype=np.int32), count),
        times_ms=np.repeat(times_ms, len(sensors)),
        values=values,
        rows=np.arange(len(values), dtype=np.int64),
    )


def training_data() -> Dataset:
    """Return two healthy days of all pumps and of the constant sensor, sensor by sensor."""
    times_ms, values = FLEET.readings(START_MS, TRAINING_READINGS)
    all_values = np.concatenate([values, idle(TRAINING_READINGS)[np.newaxis]])
    count = len(all_values)
    return Dataset(
        features=FEATURES,
        sensors=(*FLEET.sensor_ids(), IDLE),
        codes=np.repeat(np.arange(count, dtype=np.int32), TRAINING_READINGS),
        times_ms=np.tile(times_ms, count),
        values=all_values.reshape(-1, len(FEATURES)).astype(np.float32),
        rows=np.arange(count * TRAINING_READINGS, dtype=np.int64),
    )
