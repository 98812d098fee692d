"""The position where a replica continues: with a new group, after retention, after replaced topics, with other models."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from stream_detector.state.record_layout import layout_name
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import GROUP, INPUT, MODEL, SECOND_MS, START_MS, ReplicaConfig, changed, committing_at_once
from tests.pipeline.world import World


def feed(world: World, sensors: str, first_second: int = 0, partition: int = 0) -> None:
    """Write one reading per letter, a second apart."""
    for second, sensor in enumerate(sensors, start=first_second):
        world.produce(sensor, START_MS + second * SECOND_MS, float(second), 1.0, partition=partition)


def filled(replica: Replica, sensor: str, partition: int = 0) -> int:
    """Return how many rows a sensor's window has in memory; 0 if the sensor is not in memory."""
    arena = replica.detector.arena
    slots = [slot for slot in arena.held(partition).tolist() if arena.sensors[slot] == sensor]
    return int(arena.records["header"]["filled"][slots[0]]) if slots else 0


def scored_values(replica: Replica) -> list[list[float]]:
    """Return the first feature of all scored windows, where `feed` wrote the second of the reading."""
    return [window[:, 0].tolist() for window in replica.scorer.windows_seen]


def test_a_store_that_was_emptied_is_logged_as_an_error_and_a_first_start_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(partitions=3)
    feed(world, "aaaa")
    replica = Replica(world)
    replica.run()
    assert [record.levelname for record in caplog.records if "rebuild" in record.message] == ["INFO"] * 3

    caplog.clear()
    world.store.wipe()
    replica.crash().run()

    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    said = "nothing is stored, though the group has committed positions: the store was emptied, or is another one"
    assert errors == [f"partition 0: rebuild at 4: {said}"]


def test_a_new_group_starts_at_the_end_with_its_windows_filled() -> None:
    world = World()
    feed(world, "aaab")
    replica = Replica(world, committing_at_once(ReplicaConfig(start="latest")))

    replica.run()
    feed(world, "ab", first_second=4)
    report = replica.step()

    assert world.committed() == {0: 6}
    assert report.scored == 1
    assert scored_values(replica) == [[1, 2, 4]]  # a's; nothing of the past was scored, and b is warming
    assert filled(replica, "b") == 2


def test_a_new_group_may_start_at_the_beginning() -> None:
    world = World()
    feed(world, "aaaa")
    replica = Replica(world, ReplicaConfig(start="earliest"))

    replica.run()

    assert scored_values(replica) == [[0, 1, 2], [1, 2, 3]]


def test_a_new_group_may_start_at_a_time() -> None:
    world = World()
    feed(world, "aaaaaa")
    replica = Replica(world, ReplicaConfig(start=START_MS + 4 * SECOND_MS))

    replica.run()

    assert scored_values(replica) == [[2, 3, 4], [3, 4, 5]]


def test_windows_are_filled_from_no_further_back_than_the_lookback() -> None:
    world = World()
    feed(world, "abbbbbbbbb")
    replica = Replica(world, ReplicaConfig(start="latest", lookback_ms=3 * SECOND_MS))

    replica.run()

    assert (filled(replica, "a"), filled(replica, "b")) == (0, 3)


def test_a_new_group_on_an_empty_topic_reads_what_comes() -> None:
    world = World(partitions=2)
    replica = Replica(world, ReplicaConfig(start="latest"))
    replica.run()

    feed(world, "aaa", partition=1)
    replica.run()

    assert scored_values(replica) == [[0, 1, 2]]


def test_the_owner_of_partition_0_commits_where_all_partitions_start() -> None:
    world = World(partitions=3)
    for partition in range(3):
        feed(world, "a" * (partition + 1), partition=partition)
    replica = Replica(world, ReplicaConfig(start="latest"))

    replica.step()

    assert world.committed() == {0: 1, 1: 2, 2: 3}


def test_a_new_group_keeps_positions_that_some_partitions_have() -> None:
    world = World(partitions=2)
    feed(world, "aaaa", partition=1)
    world.log.set_committed(GROUP, INPUT, 1, 2)

    replica = Replica(world, ReplicaConfig(start="latest"))
    replica.run()

    assert scored_values(replica) == [[0, 1, 2], [1, 2, 3]]  # from position 2 on


def test_other_replicas_wait_for_the_owner_of_partition_0_and_start_the_group_when_it_is_gone() -> None:
    world = World(partitions=2)
    feed(world, "aaa", partition=1)
    silent = world.log.join(GROUP, None, INPUT)  # owns both partitions, and never commits
    replica = Replica(world)
    replica.step()
    world.log.group(GROUP).release(silent)  # partition 1 passes to the replica

    for _ in range(4):
        replica.step()
    assert (replica.pipeline.assigned, replica.pipeline.is_ready, world.committed()) == (1, False, {})

    world.log.group(GROUP).remove(silent)
    replica.run()
    assert world.committed() == {0: 0, 1: 3}


@pytest.mark.parametrize("start", ["latest", "earliest"])
def test_two_replicas_that_start_together_lose_nothing_and_read_nothing_twice(start: str) -> None:
    world = World(partitions=4)
    for partition in range(4):
        feed(world, "aaa", partition=partition)
    replicas = [Replica(world, ReplicaConfig(start=start)), Replica(world, ReplicaConfig(start=start))]
    read = [0, 0]

    for second in range(3, 30):
        for number, replica in enumerate(replicas):
            read[number] += replica.step().readings
        for partition in range(4):
            feed(world, "a", first_second=second, partition=partition)
    for _ in range(3):
        read = [before + replica.step().readings for before, replica in zip(read, replicas, strict=True)]

    assert world.committed() == dict.fromkeys(range(4), 30)
    from_beginning, at_first_step = 4 * 30, 4 * 3
    assert sum(read) == (from_beginning if start == "earliest" else from_beginning - at_first_step)
    assert min(read) > 0


def test_an_added_partition_is_read_from_its_beginning() -> None:
    world = World()
    replica = Replica(world, ReplicaConfig(start="latest"))
    replica.run()
    world.log.add_partitions(INPUT, 2)
    feed(world, "aaa", partition=1)

    replica.run()

    assert scored_values(replica) == [[0, 1, 2]]


def test_readings_lost_to_retention_are_counted_and_windows_go_on() -> None:
    world = World()
    feed(world, "aaa")
    replica = Replica(world)
    replica.run()
    replica.source.kill()
    feed(world, "aaaaa", first_second=3)
    world.log.trim(INPUT, 0, 5)

    replica = Replica(world)
    reports = [replica.step() for _ in range(4)]

    assert sum(report.lost_readings for report in reports) == 2
    assert scored_values(replica) == [[1, 2, 5], [2, 5, 6], [5, 6, 7]]
    assert world.committed() == {0: 8}


def test_a_hole_left_by_retention_that_is_longer_than_the_gap_limit_starts_windows_anew() -> None:
    world = World()
    feed(world, "aaa")
    plant = ReplicaConfig(max_gap_ms=2 * SECOND_MS)
    Replica(world, plant).run()
    feed(world, "aaaaaa", first_second=3)
    world.log.trim(INPUT, 0, 6)
    for member in list(world.log.group(GROUP).members):
        world.log.group(GROUP).remove(member)

    replica = Replica(world, plant)
    replica.run()

    assert scored_values(replica) == [[6, 7, 8]]


def test_a_topic_that_was_made_anew_is_read_from_its_beginning_with_empty_windows() -> None:
    world = World()
    feed(world, "aaaa")
    replica = Replica(world)
    replica.run()
    replica.source.kill()
    world.log.recreate_topic(INPUT)
    feed(world, "aaaaa", first_second=100)

    replica = Replica(world)
    replica.run()

    assert scored_values(replica) == [[100, 101, 102], [101, 102, 103], [102, 103, 104]]
    assert world.committed() == {0: 5}


def test_a_log_that_lost_its_end_is_read_on_from_there() -> None:
    world = World()
    feed(world, "aaaa")
    replica = Replica(world)
    replica.run()
    replica.source.kill()
    world.log.set_committed(GROUP, INPUT, 0, 9)

    replica = Replica(world)
    replica.run(until=lambda: replica.pipeline.is_ready)
    feed(world, "a", first_second=4)
    replica.run()

    assert scored_values(replica) == [[2, 3, 4]]
    assert world.committed() == {0: 5}


def test_positions_that_were_set_back_are_read_again_on_windows_of_before() -> None:
    world = World()
    feed(world, "aaaaaa")
    replica = Replica(world)
    replica.run()
    replica.source.kill()
    world.log.set_committed(GROUP, INPUT, 0, 4)

    replica = Replica(world)
    reports = [replica.step() for _ in range(6)]

    assert sum(report.restores["rebuild"] for report in reports) == 1
    assert scored_values(replica) == [[2, 3, 4], [3, 4, 5]]


def test_another_layout_rebuilds_the_windows() -> None:
    world = World()
    feed(world, "aaaaa")
    Replica(world).run()
    for member in list(world.log.group(GROUP).members):
        world.log.group(GROUP).remove(member)
    longer = changed(ReplicaConfig(), replace(MODEL, window_length=4))

    replica = Replica(world, longer)
    replica.run()
    feed(world, "a", first_second=5)
    replica.run()

    assert scored_values(replica) == [[2, 3, 4, 5]]
    meta = world.store.meta(0)
    assert meta is not None
    assert meta.layout == layout_name(4, MODEL.features, 1)


@pytest.mark.parametrize("members", [("checksum",), ("checksum", "another")])
def test_another_model_of_the_same_layout_goes_on_with_the_windows_and_starts_its_own_levels(members: tuple[str, ...]) -> None:
    world = World()
    feed(world, "aaaaa")
    replica = Replica(world, ReplicaConfig(margin=50.0))
    replica.run()
    replica.source.kill()
    feed(world, "a", first_second=5)
    other = ReplicaConfig(model=replace(MODEL, version="v2", members=members), model_tag=2, margin=50.0)

    replica = Replica(world, other)
    reports = [replica.step() for _ in range(5)]

    assert sum(report.restores["resume"] for report in reports) == 1
    assert scored_values(replica) == [[3, 4, 5]]
    header = replica.detector.arena.records["header"][replica.detector.arena.held(0)[0]]
    # Known sensors start with 10 readings behind their levels; one is added, and the three of the other model are not.
    assert (header["model"], header["level_count"], header["count"]) == (2, 11.0, 6)
