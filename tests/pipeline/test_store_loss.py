"""The store has lost data: no event comes from a wrong window, and the state is restored."""

from __future__ import annotations

from dataclasses import replace

from tests.pipeline.replica_config import ReplicaConfig
from tests.pipeline.scene import ALWAYS, NEVER, feed, ready, windows
from tests.pipeline.world import World


def test_a_store_wiped_between_two_runs_gives_no_event_from_a_wrong_window() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aaaaa")
    replica.run()
    world.store.wipe()
    replica = replica.crash()
    feed(world, "aa", first_second=5)

    replica.run()

    assert windows(replica) == [[3, 4, 5], [4, 5, 6]]  # windows were filled again from the log


def test_a_wipe_that_meets_evicted_sensors_gives_no_event_from_a_wrong_window() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, max_sensors=2, slice_records=2))
    feed(world, "aaabbbccc")
    replica.run(2)
    world.store.wipe()  # a is nowhere now

    feed(world, "caaaa", first_second=9)
    replica.run(1)

    assert windows(replica) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [7, 8, 9], [10, 11, 12], [11, 12, 13]]


def test_a_full_arena_does_not_keep_a_partition_from_being_restored() -> None:
    world = World(partitions=2)
    plant = ReplicaConfig(margin=50.0, max_sensors=2, slice_records=2)
    replica = ready(world, plant)
    feed(world, "ab" * 4, partition=0)
    replica.run(2)
    world.store.roll_back(
        ({0: replace(world.store.snapshot()[0][0], layout="another"), 1: world.store.snapshot()[0][1]}, {}, {})
    )
    replica = replica.crash()  # partition 0 is to be rebuilt, two sensors at a time

    for second in range(40):  # and each poll of partition 1 fills the arena
        feed(world, "cd", first_second=2 * second, partition=1)
        replica.step(2)

    assert replica.pipeline.is_ready
    assert world.store.positions()[0] == 8


def test_a_loss_that_one_partition_meets_is_made_good_in_all() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    replica.run()
    world.store.wipe()

    feed(world, "b", first_second=3, partition=1)
    replica.run()
    replica.step()

    assert world.store.positions() == {0: 3, 1: 4}


def test_a_loss_is_made_good_when_the_store_answers_again_and_when_the_replica_stops() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    feed(world, "aaa")
    replica.run()

    world.store.wipe()
    replica.pipeline.finish()
    assert world.store.positions() == {0: 3}

    world.store.unavailable = True
    replica.pipeline.finish()  # does not answer: nothing to be done
    world.store.unavailable = False
    world.store.wipe()
    for _ in range(3):
        replica.step()
    replica.pipeline.finish()
    assert world.store.positions() == {0: 3}
