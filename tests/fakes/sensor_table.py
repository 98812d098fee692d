"""A model's table of sensors for tests in which no sensor is known."""

from __future__ import annotations

import numpy as np

from stream_detector.state.known_sensors import SensorTable


def no_sensors(features: int, members: int) -> SensorTable:
    """Return an empty table."""
    return SensorTable(
        rows={},
        location=np.empty((0, features), np.float32),
        deviation=np.empty((0, features), np.float32),
        levels=np.empty((0, members)),
        counts=np.empty(0),
    )
