"""A machine that stands: its values are far from those at work, and frequent, and still no failed reads."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.readings import BoolArray, Float64Array
from stream_detector.training.inspection import Inspection
from tests.training.test_inspection import COUNT, ROWS, inspected

RNG = np.random.default_rng(3)
STANDS = COUNT % 1000 >= 960  # 40 readings at a time, in each sensor twice
SPEED = 1450 + 20 * np.sin(np.arange(2 * ROWS) / 30) + RNG.normal(0, 5, 2 * ROWS)


def speed_with(resting: Float64Array | float, stands: BoolArray = STANDS) -> Float64Array:
    return np.asarray(np.round(np.where(stands, resting, SPEED), 1), np.float64)


def taken_out(found: Inspection, feature: str = "speed") -> int:
    return int(np.count_nonzero(np.isnan(found.dataset.column(feature))))


@pytest.mark.parametrize(
    "resting",
    [
        pytest.param(np.abs(RNG.normal(0, 0.4, 2 * ROWS)), id="near 0"),
        pytest.param(RNG.normal(0, 0.2, 2 * ROWS), id="around 0"),
        pytest.param(12.5, id="one value towards 0"),
        pytest.param(0.0, id="0"),
    ],
)
def test_the_values_of_a_machine_that_stands_are_kept_and_said_in_one_line(resting: Float64Array | float) -> None:
    found = inspected(speed=speed_with(resting))

    assert taken_out(found) == 0
    assert found.codes == {}
    assert len(found.notes) == 1
    assert "80 times (2.7 % of the readings), up to 40 in a row, far from the rest" in found.notes[0]
    assert "as of a machine that stands still. Kept as " in found.notes[0]
    assert "--only-while" in found.notes[0]


def test_another_state_that_lasts_and_varies_is_kept_without_a_word() -> None:
    found = inspected(speed=speed_with(60_000 + RNG.normal(0, 0.3, 2 * ROWS)))

    assert (taken_out(found), found.notes) == (0, [])


def test_failed_reads_beside_a_machine_that_stands_are_left_out() -> None:
    speed = speed_with(np.abs(RNG.normal(0, 0.4, 2 * ROWS)))
    speed[[100, 300, 1700, 1900, 2100]] = 7999.0
    speed[[110, 500, 1601]] = -9999.0

    found = inspected(speed=speed)

    assert found.codes == {"speed": (-9999.0,)}
    assert taken_out(found) == 8
    assert "7999 5 times" in found.notes[1]
    assert "as of a machine that stands still" in found.notes[2]


def test_another_value_that_lasts_is_a_failed_read() -> None:
    found = inspected(speed=speed_with(-127.0))

    assert taken_out(found) == 80
    assert "-127 80 times (2.7 % of the readings) is far from the rest" in found.notes[0]


def test_single_readings_of_0_are_failed_reads_though_the_machine_does_not_stand() -> None:
    found = inspected(speed=speed_with(0.0, COUNT % 100 == 50))

    assert taken_out(found) == 30
    assert "0 30 times (1 % of the readings) is far from the rest" in found.notes[0]
