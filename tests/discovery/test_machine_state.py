"""Which feature says when a machine works."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.discovery.machine_state import Readings, find_state
from stream_detector.readings import BoolArray, Float64Array

ROWS = 600
RNG = np.random.default_rng(2)
AT = np.arange(2 * ROWS) % ROWS
RUNS: BoolArray = AT % 200 < 150
SPEED = np.where(RUNS, 1450 + RNG.normal(0, 5, 2 * ROWS), np.abs(RNG.normal(0, 0.4, 2 * ROWS)))
LEVEL = 600 + RNG.normal(0, 2, 2 * ROWS)
FLAG = RUNS.astype(float)


def readings(**columns: Float64Array) -> Readings:
    """Return two sensors' readings."""
    return Readings(tuple(columns), np.repeat(np.arange(2, dtype=np.int32), ROWS), np.column_stack(list(columns.values())))


def seldom(values: Float64Array) -> Float64Array:
    """Return values that are sent only every tenth time."""
    return np.where(AT % 10 == 0, values, np.nan)


@pytest.mark.parametrize(
    "name",
    [
        *("running", "run", "isRunning", "Motor läuft", "Betrieb", "machine_state", "Status", "motor.on"),
        *("état", "Pompe en marche", "EstadoMotor", "en_funcionamiento"),
    ],
)
def test_a_flag_that_is_named_as_a_state_and_divides_the_others_is_proposed(name: str) -> None:
    found = find_state(readings(speed=SPEED, level=LEVEL, **{name: seldom(FLAG)}))

    assert found is not None
    assert found.condition == (f"`{name}` == 1" if " " in name else f"{name} == 1")
    assert [shown[0] for shown in found.shows] == ["speed"]
    assert found.reason().startswith(f"{name} is 0 in 25 % of the readings, and then speed is about 0.")
    assert "instead of 1450" in found.reason()


def test_the_states_in_which_it_stands_are_told_from_those_at_work() -> None:
    state = np.where(RUNS, np.where(AT % 200 < 40, 3.0, 2.0), np.where(AT % 200 < 170, 0.0, 1.0))

    found = find_state(readings(state=state, speed=SPEED))

    assert found is not None
    assert found.condition == "state == 2 or state == 3"
    assert found.reason().startswith("state is 0 or 1 in 25 % of the readings")


def test_a_flag_that_is_0_at_work_is_read_as_it_is() -> None:
    found = find_state(readings(state=1.0 - FLAG, speed=SPEED))

    assert found is not None
    assert found.condition == "state == 0"


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"valve": FLAG, "speed": SPEED}, id="not named as a state"),
        pytest.param({"running": FLAG, "level": LEVEL}, id="divides nothing"),
        pytest.param({"running": np.ones(2 * ROWS), "speed": SPEED}, id="always on"),
        pytest.param({"running": AT / 7.0, "speed": SPEED}, id="no states"),
        pytest.param({"iron": FLAG, "speed": SPEED}, id="part of another word"),
    ],
)
def test_anything_else_is_no_state(columns: dict[str, Float64Array]) -> None:
    assert find_state(readings(**columns)) is None


def test_machines_that_turn_the_other_way_round_are_compared_by_how_far() -> None:
    """The median over both machines would be 0."""
    speed = FLAG * (1450.0 + AT % 8) * np.where(np.arange(2 * ROWS) < ROWS, 1.0, -1.0)

    found = find_state(readings(running=FLAG, speed=speed))

    assert found is not None
    assert found.condition == "running == 1"
    assert found.shows == (("speed", 0.0, 1453.0),)
