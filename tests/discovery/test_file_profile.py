"""What readings of files look like: the same kinds of features as of a topic."""

from __future__ import annotations

import numpy as np

from stream_detector.discovery.file_profile import profile_of_rows


def test_readings_are_counted_by_sensor_and_feature() -> None:
    rows = 120
    codes = np.repeat(np.array([0, 1], np.int32), rows)
    times = np.tile(np.arange(rows, dtype=np.int64) * 10_000, 2)
    steps = np.arange(rows, dtype=np.float64)
    values = np.column_stack(
        [
            np.concatenate([np.sin(steps), np.cos(steps)]),
            np.concatenate([steps, steps]),  # falls between the sensors only
            np.full(2 * rows, 7.0),
            np.tile(steps % 2, 2),
            np.concatenate([np.full(rows, np.nan), np.sin(steps)]),
        ]
    )

    profile = profile_of_rows(("a", "b"), ("level", "hours", "fixed", "on", "of b"), codes, times, values)

    assert {name: one.kind for name, one in profile.features.items()} == {
        "level": "",
        "hours": "counter",
        "fixed": "constant",
        "on": "flag",
        "of b": "",
    }
    assert profile.features["of b"].numbers == rows
    assert profile.sensors["a"].features == {"level", "hours", "fixed", "on"}
    assert profile.interval_seconds == 10
    assert (profile.oldest_ms, profile.newest_ms) == (0, 1_190_000)
    assert not profile.is_one_by_one
    assert not profile.is_unkeyed


def test_no_readings_are_an_empty_profile() -> None:
    nothing = profile_of_rows((), ("a",), np.empty(0, np.int32), np.empty(0, np.int64), np.empty((0, 1)))

    assert not nothing.sensors
    assert nothing.readings == 0
