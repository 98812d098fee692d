"""When nothing at all arrives, one event is about the input, and none about a sensor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stream_detector.state.bucket_state import Assembly
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, changed
from tests.pipeline.scene import NEVER, feed, ready
from tests.pipeline.world import World

QUIET = changed(NEVER, silent_s=10)


def told(world: World) -> list[tuple[str, str, str]]:
    """Return type, status and sensor of all events, in order."""
    return [(event["type"], event["status"], event["sensor_id"]) for event in world.events()]


def turns(count: int, *replicas: Replica) -> None:
    for _ in range(count):
        for replica in replicas:
            replica.turn()


def spoken(world: World, replicas: tuple[Replica, ...], seconds: range, *, partitions: int) -> None:
    """Let two sensors of each partition speak once a second."""
    for second in seconds:
        for partition in range(partitions):
            feed(world, "ab", first_second=second, partition=partition)
        turns(1, *replicas)


def test_a_silence_of_everything_is_one_event_about_the_input() -> None:
    world = World(2)
    replica = ready(world, QUIET)
    spoken(world, (replica,), range(40), partitions=2)

    turns(200, replica)
    (event,) = world.events()

    assert (event["type"], event["status"], event["sensor_id"]) == ("input_silent", "opened", "")
    assert event["timestamp"] == "2023-11-14T22:14:10.000Z"  # ten seconds after the newest reading

    spoken(world, (replica,), range(5000, 5030), partitions=2)
    opened, closed = world.events()
    assert (closed["type"], closed["status"], closed["incident"]["reason"]) == ("input_silent", "closed", "returned")
    assert closed["incident_id"] == opened["incident_id"]
    assert closed["timestamp"] > opened["timestamp"]


def test_a_second_silence_is_another_incident() -> None:
    world = World(1)
    replica = ready(world, QUIET)
    for begin in (0, 1000):
        spoken(world, (replica,), range(begin, begin + 40), partitions=1)
        turns(100, replica)

    opened = [event["incident_id"] for event in world.events() if event["status"] == "opened"]
    assert [kind for kind, _, _ in told(world)] == ["input_silent"] * 3
    assert len(set(opened)) == 2


def test_a_restart_in_the_silence_tells_it_once() -> None:
    world = World(2)
    replica = ready(world, QUIET)
    spoken(world, (replica,), range(40), partitions=2)
    turns(100, replica)
    replica = replica.crash()
    turns(100, replica)
    replica = replica.crash()
    spoken(world, (replica,), range(1000, 1040), partitions=2)

    assert told(world) == [("input_silent", "opened", ""), ("input_silent", "closed", "")]


def test_a_detector_that_was_down_does_not_take_that_for_silence() -> None:
    world = World(1)
    replica = ready(world, QUIET)
    spoken(world, (replica,), range(40), partitions=1)
    world.clock.advance(10_000)
    replica = replica.crash()
    turns(5, replica)
    spoken(world, (replica,), range(10_000, 10_040), partitions=1)

    assert told(world) == []


def test_one_replica_of_several_tells_it_and_only_if_nothing_arrives_in_the_partitions_of_others() -> None:
    world = World(2)
    replicas = Replica(world, QUIET), Replica(world, QUIET)
    turns(10, *replicas)
    spoken(world, replicas, range(40), partitions=2)
    for second in range(40, 80):
        for sensors in ("a", "b"):
            feed(world, sensors, first_second=second, partition=1)
        turns(1, *replicas)
    of_sensors = told(world)
    turns(100, *replicas)

    assert sorted(of_sensors) == [("silent", "opened", "a"), ("silent", "opened", "b")]
    assert told(world)[2:] == [("input_silent", "opened", "")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_that_fails_tells_it_once(when: Any) -> None:  # noqa: ANN401 - a literal
    world = World(1)
    replica = ready(world, QUIET)
    spoken(world, (replica,), range(40), partitions=1)
    turns(5, replica)
    replica.sink.fail_next_commit(when)
    turns(200, replica)

    assert told(world) == [("input_silent", "opened", "")]


def test_where_readings_are_assembled_it_ends_with_the_message_that_ends_it() -> None:
    """The first reading that this message completes is of before the silence."""
    world = World(1)
    replica = ready(world, replace(QUIET, assembly=Assembly(5 * SECOND_MS, 10 * SECOND_MS)))
    spoken(world, (replica,), range(40), partitions=1)
    turns(200, replica)
    feed(world, "a", first_second=5000)
    turns(5, replica)

    opened, closed = world.events()
    assert (opened["timestamp"], closed["status"]) == ("2023-11-14T22:14:09.000Z", "closed")
    assert closed["timestamp"] == "2023-11-14T23:36:40.000Z"  # 5,000 seconds after the start
