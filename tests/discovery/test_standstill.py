"""What shows that a machine stands where no state says so: what drives it, before what it does to the process."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.discovery.standstill import find_standing, question
from stream_detector.readings import Float64Array
from tests.discovery.test_machine_state import AT, LEVEL, RNG, ROWS, RUNS, SPEED, readings

CURRENT = SPEED * 0.03  # 43.5 A
PRESSURE = np.where(RUNS, 6.2 + RNG.normal(0, 0.05, 2 * ROWS), np.abs(RNG.normal(0, 0.02, 2 * ROWS)))


def test_without_a_state_a_measurement_that_is_near_0_for_long_shows_that_a_machine_stands() -> None:
    found = find_standing(readings(level=LEVEL, **{"Speed [rpm]": SPEED}))

    assert found is not None
    assert found.condition == "`Speed [rpm]` > 510"  # 35 % of 1450
    assert found.reason().startswith("Speed [rpm] is near 0 (about 0.")
    assert found.reason().endswith(", else about 1450) in 25 % of the readings, for long each time")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(LEVEL, id="never low"),
        pytest.param(100 * np.sin(AT / 20), id="a wave"),
        pytest.param(50 + 50 * np.sin(AT / 60), id="a wave down to 0"),
        pytest.param(np.exp(RNG.normal(0, 2, 2 * ROWS)), id="a long tail"),
        pytest.param(np.where(AT % 8 < 5, 100.0, 0.0), id="short pauses"),
        pytest.param(np.full(2 * ROWS, np.nan), id="nothing"),
    ],
)
def test_what_is_not_low_for_long_shows_nothing(values: Float64Array) -> None:
    assert find_standing(readings(signal=values)) is None


def test_no_border_is_said_above_which_a_smaller_machine_never_comes() -> None:
    """The larger one works at 1450, the smaller one at 145: no border tells both from standing for sure."""
    is_larger = np.arange(2 * ROWS) < ROWS

    assert find_standing(readings(speed=np.where(is_larger, SPEED, SPEED / 10))) is None
    assert find_standing(readings(speed=np.where(is_larger, SPEED, SPEED / 1.5))) is not None


def test_no_border_is_said_above_which_a_machine_that_never_stands_does_not_come() -> None:
    is_first = np.arange(2 * ROWS) < ROWS

    assert find_standing(readings(speed=np.where(is_first, SPEED, LEVEL / 10))) is None


@pytest.mark.parametrize(
    ("names", "condition", "measured"),
    [
        pytest.param(("Druck", "Strom"), "Strom > 15", "drive", id="German"),
        pytest.param(("pression_refoulement", "Intensité [A]"), "`Intensité [A]` > 15", "drive", id="French"),
        pytest.param(("Presión", "corriente_motor"), "corriente_motor > 15", "drive", id="Spanish"),
        pytest.param(("flow", "MotorPower"), "MotorPower > 15", "drive", id="power"),
        pytest.param(("P1 [bar]", "I1 [A]"), "`I1 [A]` > 15", "drive", id="units alone"),
        pytest.param(("Volumenstrom", "Motorstrom"), "Motorstrom > 15", "drive", id="a flow that ends like a current"),
        pytest.param(("level", "noise"), "noise > 15", "other", id="another measurement"),
        pytest.param(("pressure", "vibration_speed"), "vibration_speed > 15", "other", id="a speed that drives nothing"),
    ],
)
def test_what_drives_a_machine_or_another_measurement_comes_before_the_process(
    names: tuple[str, str], condition: str, measured: str
) -> None:
    of_process, other = names

    found = find_standing(readings(**{of_process: PRESSURE, other: CURRENT}))

    assert found is not None
    assert (found.condition, found.measured, found.is_sure) == (condition, measured, False)


def test_a_machine_is_at_work_while_its_speed_or_its_current_says_so() -> None:
    """So the loss of one instrument is no standstill."""
    found = find_standing(readings(Druck=PRESSURE, Strom=CURRENT, Drehzahl=SPEED))

    assert found is not None
    assert found.condition == "Drehzahl > 510 or Strom > 15"
    assert found.is_sure
    assert "and Strom with it, in 25 % of the readings, for long each time" in found.reason()


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"ac_power": CURRENT, "dc_power": SPEED}, id="an inverter at night: nothing turns"),
        pytest.param({"speed": SPEED}, id="a speed alone, which a dead instrument takes away"),
        pytest.param({"speed": SPEED, "current": np.roll(CURRENT, 75)}, id="they do not agree"),
    ],
)
def test_less_than_a_speed_and_another_of_the_drive_is_asked_about(columns: dict[str, Float64Array]) -> None:
    found = find_standing(readings(**columns))

    assert found is not None
    assert not found.is_sure
    assert (
        f"do machines stand then? Nothing is named as a state. To learn and judge only machines at work, set {found.condition};"
        in (question(found, "set {}"))
    )


def test_work_that_is_shorter_than_a_window_is_asked_about() -> None:
    """A condition would leave no full window."""
    works = AT % 50 < 30
    speed, current = (np.where(works, values, 0.001 * AT) for values in (1450 + LEVEL / 100, 40 + LEVEL / 100))

    found = find_standing(readings(speed=speed, current=current))

    assert found is not None
    assert found.condition == "speed > 510 or current > 16"
    assert not found.is_sure


def test_where_only_the_process_shows_it_no_condition_is_named_and_the_reason_is() -> None:
    found = find_standing(readings(Druck=PRESSURE, Durchfluss=CURRENT, level=LEVEL))

    assert found is not None
    assert (found.measured, found.is_sure) == ("process", False)
    asked = question(found, "set {}")
    assert asked.startswith("Druck is near 0 (about 0.0")
    assert "a fault that takes this away would count as standing, and nothing would find it" in asked
    assert ">" not in asked
