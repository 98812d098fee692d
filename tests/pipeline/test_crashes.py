"""Processes crash, partitions are revoked, and chunks do not continue the state."""

from __future__ import annotations

from tests.pipeline.replica import Replica
from tests.pipeline.scene import ALWAYS, NEVER, feed, opened, ready
from tests.pipeline.world import World


def test_a_crash_between_two_partitions_persists_loses_and_doubles_nothing() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    world.store.healthy_persists = 1
    replica.step()
    assert sorted(world.store.positions().values()) == [0, 2]
    world.store.unavailable = False

    replica = replica.crash()
    feed(world, "a", first_second=2, partition=0)
    feed(world, "b", first_second=2, partition=1)
    replica.run()

    assert sorted(opened(world)) == [("a", 2), ("b", 2)]


def test_a_replay_publishes_nothing_and_counts_what_it_read() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaaa")
    world.store.healthy_persists = 0
    replica.step()
    world.store.unavailable = False

    replica = replica.crash()
    reports = [replica.step() for _ in range(6)]

    assert opened(world) == [("a", 2)]
    assert sum(report.replayed for report in reports) == 4
    assert sum(report.restores["replay"] for report in reports) == 1
    assert sum(report.records for report in reports) == 0


def test_other_partitions_go_on_while_one_is_replayed() -> None:
    world = World(partitions=2)
    replica = ready(world, NEVER)
    feed(world, "a" * 30, partition=0)
    world.store.healthy_persists = 0
    replica.run(until=lambda: world.committed() == world.ends())
    world.store.unavailable = False
    replica = replica.crash()  # partition 0 is to be replayed, in slices of three records
    feed(world, "bbb", partition=1)

    for _ in range(4):
        replica.step()

    assert world.committed()[1] == 3
    assert not replica.pipeline.is_ready
    replica.run()


def test_a_revoked_partition_is_forgotten() -> None:
    world = World(partitions=2)
    first = ready(world, ALWAYS)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    first.run()

    second = Replica(world, ALWAYS)
    for _ in range(8):
        first.step()
        second.step()
    feed(world, "a", first_second=2, partition=0)
    feed(world, "b", first_second=2, partition=1)
    for _ in range(2):
        first.step()
        second.step()

    assert (first.pipeline.assigned, second.pipeline.assigned) == (1, 1)
    assert (len(first.detector.arena), len(second.detector.arena)) == (1, 1)
    assert sorted(opened(world)) == [("a", 2), ("b", 2)]


def test_a_chunk_that_does_not_continue_the_state_restores_the_partition() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaaa")
    replica.source.seek(0, 1)  # as a client that skips a record would

    replica.step()
    assert world.committed() == {0: 0}
    replica.run()

    assert opened(world) == [("a", 2)]
