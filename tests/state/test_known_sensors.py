"""The table of the sensors that a model knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from tests.fakes.sensor_table import no_sensors

TABLE = SensorTable(
    rows={"pump-1": 0, "pump-2": 1},
    location=np.array([[60.0], [70.0]], np.float32),
    deviation=np.array([[2.0], [3.0]], np.float32),
    levels=np.array([[-1.0, -2.0], [-1.5, -2.5]]),
    counts=np.array([100.0, 0.0]),
)


def test_sensors_are_found_by_name_in_the_order_asked_for() -> None:
    assert len(TABLE) == 2
    assert TABLE.find(["pump-2", "pump-9", "pump-1", "pump-2"]).tolist() == [1, UNKNOWN, 0, 1]
    assert TABLE.find([]).tolist() == []


def test_a_table_of_no_sensor_finds_none() -> None:
    table = no_sensors(features=3, members=2)

    assert (len(table), table.find(["pump-1"]).tolist()) == (0, [UNKNOWN])


def test_the_usual_attention_of_an_unknown_sensor_is_the_mean_of_the_fleet() -> None:
    attention = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], np.float32)
    table = replace(TABLE, attention=attention)

    usual = table.usual_attention(table.find(["pump-2", "pump-9", "pump-1"]))

    assert usual.tolist() == [[0.0, 0.5, 0.5], [0.25, 0.5, 0.25], [0.5, 0.5, 0.0]]
    assert table.attention.tolist() == attention.tolist()


def test_a_table_without_attention_has_no_usual_one() -> None:
    assert TABLE.usual_attention(TABLE.find(["pump-1", "pump-9"])).shape == (2, 0)


def test_of_a_large_fleet_the_mean_is_of_sensors_at_equal_distances() -> None:
    attention = np.zeros((4_096, 2), np.float32)
    attention[::4] = [0.25, 0.75]  # those that count

    usual = replace(TABLE, attention=attention).usual_attention(np.array([UNKNOWN, 1], np.int32))

    assert usual.tolist() == [[0.25, 0.75], [0.0, 0.0]]
