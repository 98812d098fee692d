"""How often the sensors of a dataset are read, and where their windows end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.sampling import sensor_paces, window_ends
from tests.fixtures_model import tiny_dataset


def read_at(*of_sensors: list[float]) -> Dataset:
    """Return readings of sensors at these seconds."""
    codes = np.repeat(np.arange(len(of_sensors), dtype=np.int32), [len(times) for times in of_sensors])
    times_ms = np.array([round(1000 * time) for times in of_sensors for time in times], np.int64)
    names = tuple(f"s-{number}" for number in range(len(of_sensors)))
    return Dataset(("a",), names, codes, times_ms, np.zeros((len(codes), 1), np.float32), np.arange(len(codes)))


def test_each_sensor_has_an_interval_of_its_own_whatever_the_others_are_read_at() -> None:
    fast, slow = [10.0 * at for at in range(500)], [300.0 * at for at in range(40)]

    paces = sensor_paces(read_at(fast, slow, [5.0]))

    assert paces.interval_ms.tolist() == [10_000.0, 300_000.0, 155_000.0]  # a single reading: the median of the others
    assert paces.gap_limits_ms().tolist() == [100_000.0, 3_000_000.0, 1_550_000.0]


def test_outages_do_not_count() -> None:
    times = [10.0 * at + (86_400.0 if at >= 300 else 0.0) for at in range(500)]

    paces = sensor_paces(read_at(times))

    assert (paces.interval_ms[0], paces.pause_ms[0]) == (10_000.0, 10_000.0)


def test_a_sensor_that_sends_in_bursts_has_the_mean_interval_and_its_usual_pause() -> None:
    bursts = [60.0 * at + 0.1 * within for at in range(50) for within in range(6)]

    paces = sensor_paces(read_at(bursts))

    assert paces.interval_ms[0] == pytest.approx(10_000.0, rel=0.02)
    assert paces.pause_ms[0] == 59_500.0
    assert paces.gap_limits_ms()[0] == 178_500.0


def test_a_dataset_without_two_readings_of_a_sensor_has_no_pace() -> None:
    with pytest.raises(InputDataError, match="no sensor has two readings"):
        sensor_paces(read_at([1.0], [2.0]))


def test_windows_end_only_where_a_sensor_has_enough_readings_without_a_gap() -> None:
    dataset = tiny_dataset(sensors=2, readings=6)
    times = dataset.times_ms.copy()
    times[3:6] += 20_000

    limits = np.array([10_000.0, 10_000.0])
    assert window_ends(replace(dataset, times_ms=times), 3, limits).tolist() == [2, 5, 8, 9, 10, 11]
    wider = np.array([25_000.0, 10_000.0])
    assert window_ends(replace(dataset, times_ms=times), 3, wider).tolist() == [2, 3, 4, 5, 8, 9, 10, 11]
    assert window_ends(dataset.take(np.empty(0, np.int64)), 3, limits).tolist() == []


def test_readings_that_were_left_out_are_no_pauses_and_no_window_spans_them() -> None:
    stops = np.arange(500) % 20 >= 17  # often, so that their steps would be usual ones

    dataset = read_at([10.0 * at for at in range(500)]).cut(stops)

    paces = sensor_paces(dataset)
    assert (len(dataset), paces.interval_ms[0], paces.pause_ms[0]) == (425, 10_000.0, 10_000.0)
    ends = window_ends(dataset, 17, paces.gap_limits_ms())
    assert dataset.times_ms[ends].tolist() == [10_000 * (20 * run + 16) for run in range(25)]
