"""Sensors that never fill a window are named, with the reason."""

from __future__ import annotations

import numpy as np

from stream_detector.tables.dataset import Dataset
from stream_detector.tables.windowless import windowless_warning


def dataset(**times_s: list[float]) -> Dataset:
    """Return readings of sensors at these times."""
    codes = np.repeat(np.arange(len(times_s), dtype=np.int32), [len(times) for times in times_s.values()])
    times_ms = np.array([1000 * time for times in times_s.values() for time in times]).astype(np.int64)
    values = np.ones((len(codes), 1), np.float32)
    return Dataset(("temperature",), tuple(times_s), codes, times_ms, values, np.arange(len(codes)))


def evenly(count: int, step: float) -> list[float]:
    return [step * number for number in range(count)]


def test_sensors_of_any_interval_that_fill_a_window_are_not_named() -> None:
    assert windowless_warning(dataset(fast=evenly(100, 1.0), slow=evenly(64, 600.0)), 64) == ""


def test_a_sensor_with_too_few_readings_is_named_with_their_number_and_the_cure() -> None:
    text = windowless_warning(dataset(fast=evenly(500, 1.0), gauge=evenly(40, 600.0)), 64)

    assert text == (
        "NEVER SCORED: 1 of 2 sensors fill no window of 64 readings, so nothing is learned from them: gauge (40 readings). "
        "Give them a longer history, or choose a --window-length of 40 or less."
    )


def test_a_sensor_whose_gaps_come_too_soon_is_named_with_its_longest_stretch() -> None:
    bursts = [3600.0 * hour + second for hour in range(8) for second in range(60)]

    text = windowless_warning(dataset(fast=evenly(500, 1.0), burst=bursts), 64)

    assert "burst (480 readings, at most 60 between gaps of over 10 s)" in text
    assert "--window-length of 60 or less" in text


def test_of_many_some_are_named_and_a_window_that_learns_nothing_is_not_advised() -> None:
    short = {f"gauge-{number}": evenly(3, 60.0) for number in range(30)}

    text = windowless_warning(dataset(fast=evenly(500, 1.0), **short), 64)

    assert "30 of 31 sensors" in text
    assert "gauge-4 (3 readings) and 25 more" in text
    assert "--window-length" not in text
