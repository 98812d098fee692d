"""Sensors that never fill a window are found."""

from __future__ import annotations

import numpy as np

from stream_detector.detection.detector import Detector
from stream_detector.readings import Readings
from tests.fakes.scorer import ChecksumScorer
from tests.pipeline.replica_config import ReplicaConfig

LENGTH = 3


def detector() -> Detector:
    built = ReplicaConfig(max_gap_ms=5_000).detector(ChecksumScorer())
    built.admit_new(0, ["steady", "slow"])
    return built


def send(built: Detector, sensor: str, times_s: list[float]) -> None:
    count = len(times_s)
    times_ms = 1_700_000_000_000 + np.array([1000 * time for time in times_s]).astype(np.int64)
    built.detect(Readings([sensor] * count, np.zeros(count, np.int32), np.arange(count), times_ms, np.ones((count, 2))))


def test_a_sensor_is_found_after_four_windows_of_readings_without_a_full_one() -> None:
    built = detector()
    for number in range(4 * LENGTH):
        assert built.unfilled.find(LENGTH).count == 0
        send(built, "slow", [10.0 * number])
        send(built, "steady", [1.0 * number])

    found = built.unfilled.find(LENGTH)
    assert (found.count, [name for name, _ in found.some], found.window_length) == (1, ["slow"], LENGTH)


def test_a_full_window_starts_the_count_again() -> None:
    built = detector()
    send(built, "slow", [10.0 * number for number in range(4 * LENGTH)])
    assert built.unfilled.find(LENGTH).count == 1

    send(built, "slow", [200.0, 201.0, 202.0])
    assert built.unfilled.find(LENGTH).count == 0
    send(built, "slow", [300.0 + 10.0 * number for number in range(4 * LENGTH)])
    assert built.unfilled.find(LENGTH).count == 1


def test_a_sensor_that_left_memory_is_not_counted() -> None:
    built = detector()
    send(built, "slow", [10.0 * number for number in range(4 * LENGTH)])

    built.drop(0)

    assert built.unfilled.find(LENGTH).count == 0
    built.admit_new(0, ["other"])
    assert built.unfilled.find(LENGTH).count == 0
