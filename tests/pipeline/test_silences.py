"""Sensors that fall silent are announced once, whoever notices it and when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, START_MS, changed, some_rules
from tests.pipeline.scene import ALWAYS, NEVER, feed, ready
from tests.pipeline.world import World

#: A sensor may be without a reading for ten seconds.
QUIET = changed(NEVER, silent_s=10)


def silences(world: World) -> list[tuple[str, str]]:
    """Return sensor and status of the events about silences, in order."""
    return [(event["sensor_id"], event["status"]) for event in world.events() if event["type"] == "silent"]


def read_all(replica: Replica, records: int = 500) -> None:
    """Read everything, and look for silent sensors after it."""
    replica.run(records)
    replica.turn()
    replica.turn()


def ids(world: World) -> list[str]:
    return sorted(event["event_id"] for event in world.events())


def test_a_sensor_that_says_nothing_while_others_speak_is_silent() -> None:
    world = World()
    feed(world, "abab" + "b" * 20)
    replica = Replica(world, QUIET)

    read_all(replica)

    (event,) = world.events()
    assert (event["type"], event["status"], event["sensor_id"]) == ("silent", "opened", "a")
    assert event["timestamp"] == "2023-11-14T22:13:32.000Z"  # ten seconds after its last reading
    assert event["window"]["last_offset"] == event["incident"]["opened_offset"] == 2
    assert event["incident_id"] == "readings-0-2-0-silent"
    assert world.committed() == world.ends()


def test_a_sensor_that_speaks_again_closes_its_silence() -> None:
    world = World()
    feed(world, "abab" + "b" * 20)
    replica = Replica(world, QUIET)
    read_all(replica)
    feed(world, "ab", first_second=24)
    read_all(replica)

    opened, closed = world.events()
    assert (closed["type"], closed["status"], closed["incident"]["reason"]) == ("silent", "closed", "returned")
    assert closed["incident_id"] == opened["incident_id"]
    assert closed["incident"]["opened_at"] == opened["incident"]["opened_at"] == opened["timestamp"]
    assert closed["window"]["last_offset"] == 24


@pytest.mark.parametrize("records", [1, 2, 5, 500])
def test_the_events_are_the_same_bytes_however_the_log_was_cut(records: int) -> None:
    outcomes = []
    for cut in (500, records):
        world = World()
        feed(world, "abab" + "b" * 20 + "ab" + "b" * 15 + "a")
        read_all(Replica(world, QUIET), cut)
        outcomes.append(world.alerts_by_sensor())

    assert outcomes[0] == outcomes[1]
    assert silences(world) == [("a", "opened"), ("a", "closed")] * 2


def test_an_open_incident_of_a_silent_sensor_closes_with_that_reason() -> None:
    world = World()
    feed(world, "aaab" + "b" * 20)
    replica = Replica(world, changed(ALWAYS, silent_s=10))
    read_all(replica)

    of_a = [event for event in world.events() if event["sensor_id"] == "a"]
    assert [(event["type"], event["status"]) for event in of_a] == [
        ("anomaly", "opened"),
        ("anomaly", "closed"),
        ("silent", "opened"),
    ]
    assert of_a[1]["incident"]["reason"] == "silent"
    assert of_a[1]["incident_id"] == of_a[0]["incident_id"]
    assert of_a[1]["timestamp"] == of_a[2]["timestamp"]


@pytest.mark.parametrize("records", [1, 3, 500])
def test_an_incident_closed_by_a_silence_is_not_closed_again(records: int) -> None:
    world = World()
    feed(world, "aaab" + "b" * 20 + "aaaa")
    read_all(Replica(world, changed(ALWAYS, silent_s=10)), records)

    of_a = [(event["type"], event["status"]) for event in world.events() if event["sensor_id"] == "a"]
    assert of_a == [
        ("anomaly", "opened"),
        ("anomaly", "closed"),
        ("silent", "opened"),
        ("anomaly", "opened"),
        ("silent", "closed"),
    ]


def test_a_pause_of_everything_makes_nobody_silent() -> None:
    world = World()
    feed(world, "abab")
    replica = Replica(world, QUIET)
    read_all(replica)
    feed(world, "abab", first_second=100_000)
    read_all(replica)

    assert world.events() == []


def test_a_sensor_whose_clock_is_behind_is_not_silent() -> None:
    world = World()
    for second in range(40):
        world.produce("a", 1_700_000_000_000 + 1000 * second, 1.0, 1.0)
        world.produce(
            "behind", 1_700_000_000_000 + 1000 * (second - 3600), 1.0, 1.0, timestamp=1_700_000_000_000 + 1000 * second
        )
    read_all(Replica(world, QUIET), 3)

    assert world.events() == []


def test_a_sensor_whose_clock_is_ahead_silences_nobody_and_is_itself_found() -> None:
    world = World()
    for second in range(40):
        now = 1_700_000_000_000 + 1000 * second
        world.produce("a", now, 1.0, 1.0)
        if second < 20:
            world.produce("ahead", now + 600_000, 1.0, 1.0, timestamp=now)
    read_all(Replica(world, QUIET), 3)

    assert silences(world) == [("ahead", "opened")]


@pytest.mark.parametrize("records", [2, 500])
def test_a_restart_announces_nothing_twice_and_forgets_nobody(records: int) -> None:
    world = World()
    feed(world, "abcabc" + "bc" * 10)
    replica = Replica(world, QUIET)
    read_all(replica, records)
    feed(world, "c" * 20, first_second=26)
    replica = replica.crash()
    read_all(replica, records)

    assert silences(world) == [("a", "opened"), ("b", "opened")]

    feed(world, "abc", first_second=46)
    replica = replica.crash()
    read_all(replica, records)

    assert silences(world) == [("a", "opened"), ("b", "opened"), ("a", "closed"), ("b", "closed")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_announcement_whose_commit_fails_comes_exactly_once(when: Any) -> None:  # noqa: ANN401 - a literal
    world = World()
    feed(world, "abab")
    replica = ready(world, QUIET)
    read_all(replica)
    feed(world, "b" * 20, first_second=4)
    replica.turn()
    replica.sink.fail_next_commit(when)
    read_all(replica)
    read_all(replica)

    assert silences(world) == [("a", "opened")]


def test_sensors_that_do_not_fit_into_memory_are_found_as_well() -> None:
    world = World()
    feed(world, "abcdefgh" * 3 + "gh" * 30)
    replica = Replica(world, changed(QUIET, max_sensors=3, slice_records=2))
    replica.run(2)
    for _ in range(60):
        replica.turn(2)

    assert sorted(silences(world)) == [(name, "opened") for name in "abcdef"]


def test_a_partition_that_is_idle_while_others_speak_has_its_sensors_announced() -> None:
    world = World(2)
    feed(world, "aabb")
    feed(world, "cdcd", partition=1)
    replica = ready(world, QUIET)
    read_all(replica)
    for second in range(4, 20):
        feed(world, "ab", first_second=second, partition=0)
        replica.turn()

    assert sorted(silences(world)) == [("c", "opened"), ("d", "opened")]

    feed(world, "c", first_second=20, partition=1)
    read_all(replica)
    assert sorted(silences(world)) == [("c", "closed"), ("c", "opened"), ("d", "opened")]


def test_what_was_announced_while_a_partition_was_idle_survives_a_restart() -> None:
    world = World(2)
    feed(world, "aabb")
    feed(world, "cccd", partition=1)
    replica = ready(world, changed(ALWAYS, silent_s=10))
    read_all(replica)
    for second in range(4, 20):
        feed(world, "ab", first_second=second, partition=0)
        replica.turn()
    replica = replica.crash()
    read_all(replica)
    feed(world, "ab", first_second=20, partition=0)
    feed(world, "cccc", first_second=20, partition=1)
    read_all(replica)
    replica = replica.crash()
    feed(world, "ab", first_second=24, partition=0)
    feed(world, "d", first_second=24, partition=1)
    read_all(replica)

    of_c = [(event["type"], event["status"]) for event in world.events() if event["sensor_id"] == "c"]
    assert of_c == [
        ("anomaly", "opened"),
        ("anomaly", "closed"),
        ("silent", "opened"),
        ("anomaly", "opened"),
        ("silent", "closed"),
    ]
    assert [one for one in silences(world) if one[0] == "d"] == [("d", "opened"), ("d", "closed")]
    assert len(set(ids(world))) == len(ids(world))


def test_sensors_of_the_model_that_were_never_heard_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    replica = ready(world, changed(QUIET, known=("a", "b", "lost-1", "lost-2")))
    for second in range(100):
        feed(world, "ab", first_second=second)
        replica.turn()

    lines = [record.getMessage() for record in caplog.records if "have not been heard" in record.getMessage()]
    assert lines == ["2 of the 4 sensors of the model have not been heard: 'lost-1', 'lost-2'"]


def test_slow_sensors_have_their_own_limit_beside_fast_ones() -> None:
    world = World()
    for second in range(6000):
        if second % 10 == 0 and second < 4000:
            feed(world, "f", first_second=second)
        if second % 300 == 0:
            feed(world, "s", first_second=second)
        if second % 30 == 0:
            feed(world, "m", first_second=second)
    replica = Replica(world, changed(QUIET, silent_s=60))
    replica.run(500)
    replica.turn()
    replica.turn()

    assert silences(world)[-1] == ("f", "opened")
    assert ("m", "opened") not in silences(world)
    of_slow = [event["window"]["last_offset"] for event in world.events() if event["sensor_id"] == "s"]
    assert max(of_slow, default=0) < 450  # only in its first block of readings, before its pace is known


@pytest.mark.parametrize("records", [1, 3, 500])
def test_an_open_incident_of_a_rule_closes_when_its_sensor_falls_silent(records: int) -> None:
    world = World()
    for second in range(30):
        if second < 4 or second > 25:
            world.produce("a", START_MS + SECOND_MS * second, 9.0, 1.0)
        world.produce("b", START_MS + SECOND_MS * second, 1.0, 1.0)
    read_all(Replica(world, changed(QUIET, rule_config=some_rules())), records)

    of_a = [event for event in world.events() if event["sensor_id"] == "a"]
    assert [(event["type"], event["status"], event["incident"]["reason"]) for event in of_a] == [
        ("out_of_range", "opened", ""),
        ("out_of_range", "closed", "silent"),
        ("silent", "opened", ""),
        ("out_of_range", "opened", ""),
        ("silent", "closed", "returned"),
    ]
    assert of_a[1]["incident_id"] == of_a[0]["incident_id"]
    assert of_a[1]["timestamp"] == of_a[2]["timestamp"]
    assert len(set(ids(world))) == len(ids(world))
