"""Names of tags tell machines apart where they split into machines of several features."""

from __future__ import annotations

import re

import pytest

from stream_detector.discovery.tag_names import split_of


@pytest.mark.parametrize(
    ("names", "machines"),
    [
        (["L1.P1.temp", "L1.P1.rpm", "L1.P2.temp"], ("L1.P1", "L1.P2")),
        (["hall/p1/temp", "hall/p1/rpm"], ("hall/p1",)),
        (["P101_Temp", "P101_Rpm", "P102_Temp", "P102_Rpm"], ("P101", "P102")),
        (["Line 1_P1_Temp", "Line 1_P1_Rpm", "Line 1_P2_Temp", "Line 1_P2_Rpm"], ("Line 1_P1", "Line 1_P2")),
    ],
)
def test_a_name_splits_at_the_last_sign_that_separates(names: list[str], machines: tuple[str, ...]) -> None:
    split = split_of(names)

    assert split is not None
    assert split.machines == machines
    found = [re.fullmatch(split.pattern, name) for name in names]
    assert all(one and one["sensor"] in machines for one in found)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["temp", "rpm"],
        ["a.temp", "b.rpm"],  # no machine has two features
        ["oil_temp", "oil_pressure", "motor_speed"],  # an underscore is a part of names: these are features of one machine
        ["P101_Temp"],
    ],
)
def test_names_that_say_nothing_of_machines_do_not_split(names: list[str]) -> None:
    assert split_of(names) is None
