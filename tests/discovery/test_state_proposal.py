"""When machines are at work, by the sample of a topic."""

from __future__ import annotations

import tomllib

import pytest

from stream_detector.discovery.proposal import toml_text
from stream_detector.settings.learning_settings import LearningSettings
from tests.discovery.records import Documents, proposal_of, sample

RUNS, STANDS = 30, 10  # steps


def at_work(step: int) -> bool:
    return step % (RUNS + STANDS) < RUNS


def of_press(step: int, values: dict[str, float]) -> dict[str, object]:
    """Return the values of a press: it turns, or stands and keeps its temperature."""
    return {"temp": values["temp"], "rpm": values["rpm"] * 20 if at_work(step) else 0.01 * (step % 3)}


def native(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    press = {**of_press(step, values), "running": at_work(step)}
    return [{"sensor_id": machine, "timestamp": time_ms, "values": press}]


def metrics(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    """One metric a message; the state only where it changes."""
    found = [{"tag": f"hall/{machine}/{name}", "value": value, "ts": time_ms} for name, value in of_press(step, values).items()]
    if step == 0 or at_work(step) != at_work(step - 1):
        found.append({"tag": f"hall/{machine}/state", "value": 2 if at_work(step) else 0, "ts": time_ms})
    return [*found]


def beside(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    """The state and a number of the message stand beside the object of values."""
    state = {"lfdNr": 7 * step, "zustand": 30 if at_work(step) else 10, "Rezept": 1 + step // 100 % 2}
    return [
        {
            "anlage": machine,
            "zeit": time_ms,
            **state,
            "messwerte": {**values, **of_press(step, values), "oil": 2 * values["temp"], "flow": 3 * values["rpm"]},
        }
    ]


def stateless(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"sensor_id": machine, "timestamp": time_ms, "values": of_press(step, values)}]


@pytest.mark.parametrize(
    ("documents", "condition"), [(native, "running == 1"), (metrics, "state == 2"), (beside, "zustand == 30")]
)
def test_the_state_in_which_machines_work_is_proposed_with_the_reason_and_more_readings(
    documents: Documents, condition: str
) -> None:
    proposal = proposal_of(sample(documents))

    learning = LearningSettings.model_validate(proposal.settings()["learning"])
    assert learning.only_while == condition
    assert (learning.readings, learning.readings_per_sensor) == (2620, 270)  # 23.5 % of the readings are of standing machines
    text = toml_text(proposal, "plant")
    assert f'only_while = "{condition}"' in text
    assert "in 24 % of the readings, and then rpm is about 0.01 instead of 15" in text


def test_a_state_beside_the_values_is_read_with_them() -> None:
    settings = tomllib.loads(toml_text(proposal_of(sample(beside)), "plant"))["input"]

    assert (settings["values"], settings["features"]) == ("messwerte", {"zustand": "zustand", "Rezept": "Rezept"})


def test_machines_that_stand_without_a_state_are_asked_about() -> None:
    proposal = proposal_of(sample(stateless))

    assert "only_while" not in proposal.settings()["learning"]
    (asked,) = [doubt for doubt in proposal.doubts if "do machines stand then?" in doubt]
    assert asked.startswith("rpm is near 0 (about 0.01, else about 15")
    assert 'set learning.only_while = "rpm > ' in asked


def test_machines_that_always_run_lead_to_no_condition() -> None:
    def always(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
        return [{"sensor_id": machine, "timestamp": time_ms, "values": {**values, "running": True}}]

    proposal = proposal_of(sample(always))

    assert set(proposal.settings()["learning"]) == {"window_length"}
    assert not any("stand" in doubt for doubt in proposal.doubts)


def pump(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    """Return what a pump sends that stands for long, without a state."""
    share = 1.0 if step % 150 < 110 else 0.001
    found = {"Druck": 0.1 * values["pressure"], "Strom": 0.5 * values["rpm"], "Drehzahl": 20 * values["rpm"]}
    return [{"sensor_id": machine, "timestamp": time_ms, "values": {name: share * value for name, value in found.items()}}]


def test_a_speed_and_a_current_tell_when_machines_work_where_no_state_does() -> None:
    proposal = proposal_of(sample(pump))

    learning = LearningSettings.model_validate(proposal.settings()["learning"])
    assert learning.only_while is not None
    assert learning.only_while.startswith("Drehzahl > 5")  # 35 % of about 20 x 78
    assert " or Strom > 1" in learning.only_while
    assert not any("stand" in doubt for doubt in proposal.doubts)


def test_a_pressure_alone_leads_to_a_question_and_to_no_condition() -> None:
    def pressed(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
        share = 1.0 if step % 150 < 110 else 0.001
        of_press = {"Druck": share * values["pressure"], "temp": values["temp"]}
        return [{"sensor_id": machine, "timestamp": time_ms, "values": of_press}]

    proposal = proposal_of(sample(pressed))

    assert "only_while" not in toml_text(proposal, "plant")
    (asked,) = [doubt for doubt in proposal.doubts if "do machines stand then?" in doubt]
    assert "so no condition is proposed: a fault that takes this away would count as standing" in asked
