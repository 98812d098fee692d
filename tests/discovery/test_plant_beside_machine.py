"""A field with one value, as the name of the plant, beside one that tells machines apart."""

from __future__ import annotations

import pytest

from tests.discovery.records import Documents, proposal_of, sample


def beside(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    """Return a document with the machine in `pumpe` beside the plant in `anlage`."""
    return [{"nr": step, "zeit": time_ms, "anlage": "WW-Nord", "pumpe": machine, **values}]


def metrics_beside(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    """Return one document for each metric."""
    plant = {"nr": step, "zeit": time_ms, "anlage": "WW-Nord", "pumpe": machine}
    return [{**plant, "tag": name, "value": value} for name, value in values.items()]


def of_one_plant(name: str, texts: tuple[str, ...]) -> Documents:
    def document(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
        return [{"zeit": time_ms, "anlage": "WW-Nord", "of": len(machine), name: texts[step // 20 % len(texts)], **values}]

    return document


@pytest.mark.parametrize("documents", [beside, metrics_beside])
def test_the_field_whose_texts_are_the_keys_names_the_sensor_and_that_with_one_value_does_not(documents: Documents) -> None:
    proposal = proposal_of(sample(documents))

    assert proposal.settings()["input"]["sensor"] == "pumpe"
    assert not proposal.doubts


@pytest.mark.parametrize("documents", [beside, metrics_beside])
def test_without_keys_it_is_asked_which_of_both_is_the_machine(documents: Documents) -> None:
    (doubt,) = proposal_of(sample(documents, keyed=False)).doubts

    assert doubt.startswith("anlage has one value, WW-Nord: is that the machine, or does one of these name it: pumpe (press-")


@pytest.mark.parametrize(
    ("name", "texts"), [("zustand", ("Betrieb", "Halt")), ("quality", ("GOOD", "BAD")), ("einheit", ("bar", "kPa"))]
)
def test_a_state_a_quality_or_a_unit_beside_the_one_machine_is_no_question(name: str, texts: tuple[str, ...]) -> None:
    proposal = proposal_of(sample(of_one_plant(name, texts), keyed=False))

    assert proposal.settings()["input"]["sensor"] == "anlage"
    assert not [doubt for doubt in proposal.doubts if "has one value" in doubt]


def test_a_metric_by_which_the_records_are_keyed_is_no_machine() -> None:
    def metric(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
        return [{"nr": step, "ts": time_ms, "machine": "press-1", "metric": machine, "value": values["temp"]}]

    settings = proposal_of(sample(metric)).settings()["input"]

    assert (settings["sensor"], settings["feature"]) == ("machine", "metric")
