"""A tag that is renamed, where readings are assembled: no dead letters, and the incident of what is gone asks about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.state.bucket_state import Assembly
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS, ReplicaConfig, reading, some_rules
from tests.pipeline.world import World

#: A value stands for three buckets, and a feature that is gone for two readings has an incident.
PLANT = ReplicaConfig(margin=50.0, rule_config=some_rules(), assembly=Assembly(5 * SECOND_MS, 15 * SECOND_MS))


def send(world: World, seconds: range, *others: str) -> None:
    """Send a and others, a message each, every five seconds."""
    for second in seconds[::5]:
        for at, name in enumerate(("a", *others)):
            time_ms = START_MS + (second + at) * SECOND_MS
            value = reading("pump-1", time_ms, float(second % 4), features=(name,))
            world.log.append(INPUT, 0, value, key=b"pump-1", timestamp=time_ms)


@pytest.mark.parametrize("crashes", [False, True])
def test_the_incident_names_what_came_in_its_place_whatever_was_restarted_between(crashes: bool) -> None:
    world = World()
    send(world, range(60), "b")
    replica = Replica(world, PLANT)
    replica.run()
    send(world, range(60, 65), "bb")
    replica.run()
    world.log.trim(INPUT, 0, 24)
    if crashes:
        replica = replica.crash()
    send(world, range(65, 100), "bb")
    replica.run()

    opened = world.events()[0]
    # b was sent last at second 56, and stands in the readings of seconds 60, 65 and 70.
    assert opened["timestamp"] == "2023-11-14T22:14:40.000Z"
    assert opened["what"] == (
        "b has given no value for about 10 s (2 readings) beyond the hold of up to 15 s; healthy data always have one; "
        "b is gone, and bb came first at 2023-11-14 22:14:21Z: renamed?"
    )
    assert world.dead_letters() == []


def test_the_log_asks_long_before_and_once() -> None:
    world = World()
    send(world, range(60), "b")
    send(world, range(60, 75), "bb")
    replica = Replica(world, replace(PLANT, assembly=Assembly(5 * SECOND_MS, 600 * SECOND_MS)))
    asked = [line for _ in range(10) for line in replica.step().renamed]
    send(world, range(75, 90), "bb")
    later = [line for _ in range(10) for line in replica.step().renamed]

    # b was sent last at second 56, and bb for the third time at second 71.
    assert asked == [
        "'pump-1' has sent no b for 15 s, and bb, which the model does not know, came first at 2023-11-14 22:14:21Z: renamed? "
        "Its last value stands for at most 10 min"
    ]
    assert later == []


def test_a_name_that_was_there_long_before_is_not_asked_about() -> None:
    world = World()
    send(world, range(200), "b", "bb")
    send(world, range(200, 260), "bb")
    Replica(world, PLANT).run()

    assert world.events()[0]["what"].endswith("healthy data always have one")


def test_a_renamed_tag_is_found_among_many_that_the_model_does_not_need() -> None:
    world = World()
    send(world, range(60), "b")
    names = ("a", *(f"aa{number:02}" for number in range(30)), "bb")
    for second in range(60, 100, 5):
        time_ms = START_MS + second * SECOND_MS
        value = reading("pump-1", time_ms, *range(len(names)), features=names)
        world.log.append(INPUT, 0, value, key=b"pump-1", timestamp=time_ms)
    Replica(world, PLANT).run()

    assert world.events()[0]["what"].endswith("b is gone, and bb came first at 2023-11-14 22:14:20Z: renamed?")
