"""Which budgets a calibration resolves."""

from __future__ import annotations

import pytest

from stream_detector.training.alarm_budgets import budget_table

#: 20 sensors of 43,200 readings, one every 10 s: five days of each, 100 sensor-days.
READINGS, SENSORS, INTERVAL_SECONDS = 864_000, 20, 10.0


def test_a_budget_is_resolved_when_the_calibration_expects_ten_of_its_incidents() -> None:
    rows = budget_table(READINGS, SENSORS, INTERVAL_SECONDS)

    # In 100 sensor-days .01, .1, 1 and 10 a day are 1, 10, 100 and 1,000 incidents; 8,640 readings are a sensor's day.
    assert [row.budget_per_sensor_day for row in rows] == [0.01, 0.1, 1.0, 10.0]
    assert [row.budget_per_fleet_day for row in rows] == pytest.approx([0.2, 2.0, 20.0, 200.0])
    assert [row.alarms_per_reading for row in rows] == pytest.approx([0.01 / 8640, 0.1 / 8640, 1 / 8640, 10 / 8640])
    assert [row.expected_incidents for row in rows] == pytest.approx([1.0, 10.0, 100.0, 1000.0])
    assert [row.verdict for row in rows[:1] + rows[2:]] == ["extrapolated", "resolved", "resolved"]


def test_the_smallest_resolved_budget_is_where_ten_incidents_are_expected() -> None:
    just_enough, too_small = budget_table(READINGS, SENSORS, INTERVAL_SECONDS, budgets=(0.100001, 0.099999))
    assert (just_enough.verdict, too_small.verdict) == ("resolved", "extrapolated")


def test_without_readings_every_budget_is_extrapolated() -> None:
    assert {row.verdict for row in budget_table(0, 0, 1.0)} == {"extrapolated"}
