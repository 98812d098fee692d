"""Names of columns tell machines apart where nearly each machine has nearly each feature."""

from __future__ import annotations

import pytest

from stream_detector.discovery.machine_columns import machine_columns
from stream_detector.tables.foreign.tags import split_tags

MEASURED = ("Vorlaufdruck [bar]", "Durchfluss [m³/h]", "Temperatur Behälter [°C]", "läuft")


def columns(machines: tuple[str, ...], sign: str, features: tuple[str, ...] = MEASURED) -> list[str]:
    return [f"{machine}{sign}{feature}" for machine in machines for feature in features]


@pytest.mark.parametrize("sign", [" ", "_", ".", "-", "/"])
def test_numbered_machines_with_the_same_features_are_sure_and_split_in_the_shortest_way(sign: str) -> None:
    names = columns(("P1", "P2", "Z2"), sign)

    found = machine_columns([*names[:-1], "Ort"])  # one pair is missing, one column is of no machine

    assert found is not None
    assert (found.pattern, found.machines, found.is_sure) == (f"{{sensor}}{sign}{{feature}}", ("P1", "P2", "Z2"), True)
    split = split_tags(names, found.pattern)
    assert split.sensors == ("P1",) * 4 + ("P2",) * 4 + ("Z2",) * 4
    assert split.features == MEASURED * 3


def test_a_machine_of_two_words_is_kept_whole() -> None:
    names = columns(("Presse 1", "Presse 2"), " ")

    found = machine_columns(names)

    assert found is not None
    assert (found.machines, found.is_sure) == (("Presse 1", "Presse 2"), True)
    assert split_tags(names, found.pattern).features == MEASURED * 2


@pytest.mark.parametrize(
    "names", [columns(("oil", "water"), "_", ("temp", "pressure")), columns(("T", "F"), " ", ("P1", "P2"))]
)
def test_where_no_number_tells_which_part_is_the_machine_it_is_not_sure(names: list[str]) -> None:
    found = machine_columns(names)

    assert found is not None
    assert not found.is_sure


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["temp", "rpm"],
        ["oil_temp", "oil_pressure", "motor_speed"],
        columns(("min", "max"), "_", ("temp", "rpm")),
        list(MEASURED),
    ],
)
def test_columns_of_one_machine_do_not_split(names: list[str]) -> None:
    assert machine_columns(names) is None
