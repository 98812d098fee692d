"""What follows from how often sensors are read: the window, the gap, the budget."""

from __future__ import annotations

import pytest

from stream_detector.discovery.pace_proposal import propose_budget, propose_gap, propose_window, rounded_up
from stream_detector.discovery.profile import Profile, SensorProfile
from stream_detector.discovery.proposal import Proposal


def profile_of_steps(*steps_seconds: list[float]) -> Profile:
    """Return a profile of sensors with these steps between their readings."""
    sensors = {}
    for number, steps in enumerate(steps_seconds):
        times = [0]
        for step in steps:
            times.append(times[-1] + round(1000 * step))
        sensors[f"s{number}"] = SensorProfile(times_ms=times, features={"a"}, message_features=len(times))
    return Profile(sensors=sensors)


def gap_of(profile: Profile) -> tuple[object, str]:
    proposal = Proposal()
    propose_gap(proposal, profile)
    return proposal.settings().get("state", {}).get("max_gap_seconds"), " ".join(proposal.found)


def test_a_gap_is_ten_intervals_or_three_usual_pauses() -> None:
    assert gap_of(profile_of_steps([10.0] * 100))[0] == 100
    # one step in twenty takes 60 s, which is usual: 3 * 60
    assert gap_of(profile_of_steps(([10.0] * 19 + [60.0]) * 10))[0] == 180
    # one outage of an hour in 200 steps is not
    assert gap_of(profile_of_steps([10.0] * 150 + [3600.0] + [10.0] * 149))[0] == 100


def test_sensors_of_different_pace_keep_each_its_own_gap() -> None:
    gap, said = gap_of(profile_of_steps([1.0] * 100, [60.0] * 100))

    assert gap is None
    assert "a gap is from 10 s to 10 min: each sensor's own pace decides" in said
    assert gap_of(profile_of_steps([10.0] * 100, [30.0] * 100))[0] == 300


def test_a_short_sample_proposes_no_gap() -> None:
    gap, said = gap_of(profile_of_steps([10.0] * 20))

    assert gap is None
    assert "too short" in said


@pytest.mark.parametrize(("interval", "length"), [(1.0, 64), (1350.0, 64), (1800.0, 48), (3600.0, 24), (86_400.0, 16)])
def test_a_window_has_64_readings_unless_it_would_take_longer_than_a_day(interval: float, length: int) -> None:
    proposal = Proposal()

    propose_window(proposal, profile_of_steps([interval] * 60))

    assert proposal.settings()["learning"]["window_length"] == length


def test_the_sensors_that_speak_most_and_least_often_are_named_if_they_differ() -> None:
    said, alike = Proposal(), Proposal()

    propose_window(said, profile_of_steps([1.0] * 60, [10.0] * 60, [60.0] * 60))
    propose_window(alike, profile_of_steps([10.0] * 60, [12.0] * 60))

    assert "s0 speaks most often, every 1 s, s2 least, every 60 s." in said.found
    assert not any("most often" in line for line in alike.found)


@pytest.mark.parametrize(("sensors", "budget", "together"), [(1, 1.0, "1"), (24, 1.0, "24"), (50, 0.5, "25"), (300, 0.1, "30")])
def test_a_short_history_proposes_a_budget_that_people_can_live_with(sensors: int, budget: float, together: str) -> None:
    proposal = Proposal()

    propose_budget(proposal, "the topic has", 90.0, sensors)

    assert proposal.settings()["alerts"]["budget_per_sensor_day"] == budget
    assert f"{together} a day of all {sensors}; the topic has 90 s of history, which could check" in proposal.entries[0].reason


def test_numbers_are_rounded_up() -> None:
    assert [rounded_up(0.79), rounded_up(100.0, 2), rounded_up(101.0, 2), rounded_up(1234.0, 2)] == [0.8, 100, 110, 1300]
