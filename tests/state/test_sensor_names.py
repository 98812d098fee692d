"""What is said about the sensors that a model knows and does not know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from stream_detector.state.sensor_names import coverage_line, knows_line, near_misses, new_line


def table(*names: str) -> SensorTable:
    count = len(names)
    return SensorTable(
        {name: row for row, name in enumerate(names)},
        np.zeros((count, 1), np.float32),
        np.ones((count, 1), np.float32),
        np.zeros((count, 1)),
        np.ones(count),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("819", "0819"),
        ("PUMP-7", "pump-7"),
        (" pump 7 ", "pump-7"),
        ("pump_07", "pump-7"),
        ("Pump7", "pump-7"),
        ("plant 1/pump-7", "pump-7"),
        ("pump-7.temperature", "pump-7"),
        ("P-0819", "0819"),
        ("STRASSE 3", "straße 3"),
    ],
)
def test_a_name_that_differs_in_what_people_vary_is_recognised(written: str, meant: str) -> None:
    assert near_misses([written], [meant, "fan-3", "boiler"]) == {written: meant}


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("pump-2", ["pump-1", "pump-3"]),
        ("7", ["pump-7", "fan-7"]),  # either may be meant
        ("pump", ["pump-7"]),  # a word alone is in many names
        ("pump-17", ["pump-7"]),
        ("", ["pump-7"]),
        ("---", ["pump-7"]),
    ],
)
def test_other_names_are_not(written: str, known: Sequence[str]) -> None:
    assert near_misses([written], known) == {}


def test_a_line_says_how_many_sensors_are_known_and_names_the_others() -> None:
    known = table("0819", "0820", "0821")

    assert coverage_line(["0819", "0820"], known) == "the model knows all 2 sensors"
    assert coverage_line(["0820", "0821", "0819", "819"], known) == (
        "the model knows 3 of the 4 sensors; not known: 819 - did you mean 0819?"
    )
    assert coverage_line(["a"], known) == "the model knows only other sensors (0819, 0820, 0821); not known: a"
    assert coverage_line(["a", "b"], known) == "the model knows none of the 2 sensors; not known: a, b"
    assert knows_line(known) == "the model knows 3 sensors: 0819, 0820, 0821"


def test_lines_are_bounded_and_similar_names_come_first() -> None:
    strangers = [f"other {letter * 80}\x1b" for letter in "abcdefghij"] + ["819"]

    line = new_line(strangers, 2_000, table("0819"))

    assert line.startswith("2,000 new sensors that the model does not know: 819 - did you mean 0819?, other aaa")
    assert line.endswith("... and 1,995 more. Provisional until scale and level are learned")
    assert len(line) < 500
    assert line.isprintable()


def test_a_model_trained_without_sensor_ids_takes_every_sensor_for_the_one_that_it_knows() -> None:
    nameless, named = table("sensor"), table("sensor", "pump-1")

    assert nameless.find(["furnace", "sensor"]).tolist() == [0, 0]
    assert named.find(["furnace", "sensor"]).tolist() == [UNKNOWN, 0]
    assert coverage_line(["furnace"], nameless).startswith("the model was trained without sensor ids: it takes every sensor")
