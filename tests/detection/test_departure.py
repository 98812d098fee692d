"""A value where healthy data have none: it holds an incident open that the score alone would close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.departure import HealthyRange
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.transition import OPENED
from stream_detector.readings import Float32Array, Readings
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import Scales
from tests.detection.test_relearning import ACCEPT, DEVIATION, FEATURES, MINUTE_MS, RANGE, FarScorer, detector, values

PUMP, UNKNOWN = 0, -1


class StepScorer(FarScorer):
    """One error: how far the newest row lies from the row before; it is used to any level at once."""

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See ports.Scorer."""
        step = np.abs(windows[:, -1] - windows[:, -2]) / scales.deviation * DEVIATION
        found = np.where(np.isnan(step).all(axis=1), np.nan, np.nanmax(np.where(np.isnan(step), -1.0, step), axis=1))
        return lambda: found[:, np.newaxis].astype(np.float32)


def incidents(rows: Float32Array, healthy_range: HealthyRange | None, batch: int = 1000) -> list[tuple[int, str, bool]]:
    """Return the position, status and acceptance of each change of the incidents of one sensor."""
    one = detector(healthy_range=healthy_range, scorer=StepScorer())
    one.arena.make_room(1)
    one.admit_new(0, ["pump"])
    found = []
    for first in range(0, len(rows), batch):
        part = rows[first : first + batch]
        offsets = np.arange(first, first + len(part))
        read = Readings(["pump"] * len(part), np.zeros(len(part), np.int32), offsets, MINUTE_MS * (1 + offsets), part)
        decisions = one.detect(read).decisions
        assert decisions is not None
        found += [(first + change.position, change.status, change.is_accepted) for change in decisions.transitions]
    return found


def test_a_shift_that_the_window_gets_used_to_is_one_incident_that_lasts_as_long_as_the_shift() -> None:
    shifted = values(60, temperature=(10, 8.0))
    shifted[26:, 2] -= 8.0  # back again, before it would be accepted

    assert incidents(shifted, None) == [
        *((10, "opened", False), (12, "closed", False)),
        *((26, "opened", False), (28, "closed", False)),
    ]
    assert incidents(shifted, RANGE) == [(10, "opened", False), (28, "closed", False)]


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_a_shift_that_stays_is_accepted_after_twice_the_time_and_learned_again(batch: int) -> None:
    shifted = values(200, temperature=(10, 8.0))
    shifted[150:, 2] += 8.0  # another shift, from where it is now

    found = incidents(shifted, RANGE)

    assert found == [(10, "opened", False), (10 + 2 * ACCEPT, "closed", True), (150, "opened", False), (190, "closed", True)]
    assert incidents(shifted, RANGE, batch) == found


def test_a_value_outside_the_range_opens_no_incident() -> None:
    crept = values(400)
    crept[:, 2] += np.arange(400, dtype=np.float32) / 100.0

    assert not [change for change in incidents(crept, RANGE) if change[1] == OPENED]


def healthy(readings: list[int], lowest: list[list[float]], highest: list[list[float]]) -> HealthyData:
    return replace(
        HealthyData.none(len(readings), FEATURES),
        readings=np.array(readings),
        lowest=np.array(lowest, np.float32),
        highest=np.array(highest, np.float32),
        scored=np.array([True, True, False]),
    )


TABLE = SensorTable(
    rows={"pump": 0, "fan": 1},
    location=np.array([[10.0, 0.0, 0.0], [100.0, 0.0, 0.0]], np.float32),
    deviation=np.array([[2.0, 1.0, 1.0], [20.0, 1.0, 1.0]], np.float32),
    levels=np.zeros((2, 1)),
    counts=np.zeros(2),
)


def outside(found: HealthyRange, row: int, *reading: float, hidden: bool = False) -> list[bool]:
    """Return which values lie outside, of a sensor whose scale is that of the pump."""
    scales = Scales(TABLE.location[:1], TABLE.deviation[:1], np.full((1, FEATURES), hidden))
    beyond = found.widths_beyond(np.array([reading], np.float32), scales, np.array([row], np.int32))
    return list((beyond[0] > 0).tolist())


def test_a_range_is_the_sensors_own_in_its_own_deviations_and_an_unknown_sensor_has_the_widest() -> None:
    both = HealthyRange.of(healthy([5000, 5000], [[6, -1, 0], [40, -2, 0]], [[14, 1, 0], [120, 2, 0]]), TABLE)

    assert outside(both, PUMP, 6.0, 1.0, 9.0) == [False, False, False]  # the last one is mere context
    assert outside(both, PUMP, 5.9, 1.1, 9.0) == [True, True, False]
    assert outside(both, UNKNOWN, 5.9, 1.1, 0.0) == [False, False, False]  # the fan was 3 deviations below
    assert outside(both, UNKNOWN, 3.9, -2.1, 0.0) == [True, True, False]
    assert outside(both, PUMP, np.nan, np.nan, np.nan) == [False, False, False]
    assert outside(both, PUMP, 5.9, 1.1, 0.0, hidden=True) == [False, False, False]


def test_a_sensor_with_little_data_has_the_range_of_the_fleet() -> None:
    little = HealthyRange.of(healthy([50, 5000], [[9.9, 0, 0], [40, -2, 0]], [[10.1, 0, 0], [120, 2, 0]]), TABLE)

    assert outside(little, PUMP, 4.1, 1.9, 0.0) == [False, False, False]
    assert outside(little, PUMP, 3.9, 2.1, 0.0) == [True, True, False]


def test_without_healthy_data_nothing_lies_outside() -> None:
    assert outside(HealthyRange.of(HealthyData.none(2, FEATURES), TABLE), PUMP, 1e30, -1e30, 0.0) == [False, False, False]
