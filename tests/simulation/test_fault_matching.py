"""Faults found and missed, and false alarms."""

from __future__ import annotations

from stream_detector.simulation.fault_matching import OpenedIncident, match_faults
from stream_detector.simulation.faults import Fault


def fault(sensor: int, start_ms: int, end_ms: int) -> Fault:
    return Fault("noise", sensor, ("flow",), start_ms, end_ms, size=1.0)


def opened(sensor_id: str, time_ms: int, *features: str) -> OpenedIncident:
    return OpenedIncident(sensor_id, time_ms, features)


def test_an_incident_from_the_start_to_a_window_after_the_end_is_found() -> None:
    faults = [fault(0, 10_000, 20_000)]

    for time_ms, count in ((9_999, 0), (10_000, 1), (22_000, 1), (22_001, 0)):
        result = match_faults(faults, [opened("pump-1", time_ms)], window_seconds=2.0)
        assert (len(result.found()), len(result.false_alarms)) == (count, 1 - count)


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
    incidents = [opened("pump-1", 11_000), opened("pump-2", 13_000), opened("pump-3", 19_000)]

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
