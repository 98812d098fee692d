"""The pace of a simulated stream, and how its readings are written."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from stream_detector.simulation.fleet import Fleet
from stream_detector.simulation.series import Series
from stream_detector.simulation.topic_writer import messages, paced
from tests.fakes.clock import Clock


def waiting(clock: Clock, stops_at: float = float("inf")) -> Callable[[float], bool]:
    """Return a wait that advances the clock, and returns whether the time to stop has come."""

    def wait(seconds: float) -> bool:
        clock.advance(seconds)
        return clock.seconds >= stops_at

    return wait


def series(start_seconds: float, sensors: int = 2) -> Series:
    return Series(Fleet(sensors=sensors), round(start_seconds * 1000), iter(()))


def test_event_time_runs_speed_times_as_fast_as_the_clock() -> None:
    clock = Clock(1_000_000.0)

    made = [
        (clock(), time_ms) for piece in paced(series(900_000.0), 101, 50.0, clock, waiting(clock)) for time_ms in piece.times_ms
    ]

    assert len(made) == 101
    assert made[0] == (1_000_000.0, 900_000_000)
    assert made[-1][0] == pytest.approx(1_000_002.0, abs=0.05)
    assert made[-1][1] == 900_100_000


def test_readings_are_never_dated_ahead_of_the_clock() -> None:
    clock = Clock(1_000_000.0)

    pieces = paced(series(999_990.0), 31, 10.0, clock, waiting(clock))

    assert all(piece.times_ms[-1] <= clock() * 1000.0 for piece in pieces)
    assert clock() == pytest.approx(1_000_020.0, abs=0.6)


def test_a_stream_without_end_ends_when_asked() -> None:
    clock = Clock(1_000_000.0)
    wait = waiting(clock, stops_at=1_000_005.0)

    steps = sum(len(piece.times_ms) for piece in paced(series(1_000_000.0), None, 1.0, clock, wait))

    assert steps == 5


def test_what_is_late_is_caught_up_in_bounded_pieces() -> None:
    clock = Clock(1_000_000.0)
    pieces = paced(series(0.0, sensors=100), None, 1000.0, clock, waiting(clock))

    next(pieces)
    clock.seconds += 60.0

    assert [len(next(pieces).times_ms) for _ in range(3)] == [10, 10, 10]


def test_readings_are_json_keyed_by_sensor_with_null_for_missing() -> None:
    made = Series(Fleet(sensors=2), 1_767_225_600_250, iter(()), missing_share=0.9).next_piece(2)

    lines = list(messages(series(0.0), made))

    assert [sensor for sensor, _ in lines] == ["pump-1", "pump-2", "pump-1", "pump-2"]
    first = json.loads(lines[0][1])
    assert (first["sensor_id"], first["timestamp"]) == ("pump-1", "2026-01-01T00:00:00.250Z")
    assert list(first["values"]) == ["temperature", "pressure", "flow", "vibration", "current"]
    assert any(value is None for _, line in lines for value in json.loads(line)["values"].values())
    assert "NaN" not in lines[0][1].decode()
