"""Faults found and missed, and false alarms."""

from __future__ import annotations

import pytest

from stream_detector.simulation.fault_matching import OpenedIncident, match_faults
from stream_detector.simulation.faults import Fault


def fault(sensor: int, start_ms: int, end_ms: int) -> Fault:
    return Fault("noise", sensor, ("flow",), start_ms, end_ms, size=1.0)


def opened(sensor_id: str, time_ms: int, *features: str) -> OpenedIncident:
    return OpenedIncident(sensor_id, time_ms, features)


@pytest.mark.parametrize(
    ("time_ms", "is_found", "is_false"),
    [
        (9_999, False, True),  # before the fault
        (10_000, True, False),
        (15_000, True, False),  # halfway through it
        (15_001, False, False),  # too late, and yet it saw the fault
        (19_999, False, False),
        (22_000, False, False),  # a window after its end
        (22_001, False, True),
    ],
)
def test_an_incident_in_the_first_half_of_a_fault_finds_it(time_ms: int, is_found: bool, is_false: bool) -> None:
    result = match_faults([fault(0, 10_000, 20_000)], [opened("pump-1", time_ms)], window_seconds=2.0)

    assert (len(result.found()), len(result.false_alarms)) == (is_found, is_false)


def test_a_fault_that_is_alarmed_too_late_keeps_its_alert_and_counts_in_no_delay() -> None:
    result = match_faults([fault(0, 10_000, 20_000)], [opened("pump-1", 19_000)], window_seconds=2.0)

    (finding,) = result.findings
    assert (finding.is_found(), finding.delay_seconds()) == (False, 9.0)
    assert result.median_delay_seconds() is None


def test_an_incident_of_another_sensor_is_false() -> None:
    result = match_faults([fault(0, 10_000, 20_000)], [opened("pump-2", 15_000)], window_seconds=2.0)

    assert (len(result.found()), len(result.false_alarms)) == (0, 1)
    assert result.median_delay_seconds() is None


def test_a_second_incident_in_a_fault_is_neither_found_again_nor_false() -> None:
    result = match_faults([fault(0, 10_000, 20_000)], [opened("pump-1", 18_000), opened("pump-1", 11_500)], window_seconds=2.0)

    assert [finding.delay_seconds() for finding in result.findings] == [1.5]
    assert result.false_alarms == ()


def test_the_median_delay_is_that_of_what_was_found() -> None:
    faults = [fault(sensor, 10_000, 20_000) for sensor in range(4)]
    incidents = [opened("pump-1", 11_000), opened("pump-2", 13_000), opened("pump-3", 14_000), opened("pump-4", 19_000)]

    result = match_faults(faults, incidents, window_seconds=0.0)

    assert len(result.found()) == 3
    assert result.median_delay_seconds() == 3.0


def test_blame_is_right_if_the_most_blamed_feature_is_a_faulty_one() -> None:
    faults = [fault(sensor, 10_000, 20_000) for sensor in range(3)]
    incidents = [
        opened("pump-1", 11_000, "flow", "current"),
        opened("pump-2", 11_000, "current", "flow"),
        opened("pump-3", 11_000),
    ]

    result = match_faults(faults, incidents, window_seconds=0.0)

    assert [finding.ranks_faulty_feature_first() for finding in result.findings] == [True, False, False]
