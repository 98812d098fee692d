"""The store does not answer: sensors in memory are scored, up to a lag limit; the others wait."""

from __future__ import annotations

import logging

import pytest

from stream_detector.pipeline.config import LagBounds
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, ReplicaConfig, every_batch_in_flight
from tests.pipeline.scene import ALWAYS, NEVER, feed, opened, ready, windows
from tests.pipeline.world import World

BOUNDED = LagBounds(readings=4, seconds=1e9, retry_seconds=0.5)


def test_sensors_in_memory_are_scored_while_the_store_is_away() -> None:
    world = World()
    replica = ready(world, every_batch_in_flight(ALWAYS))
    feed(world, "aa")
    replica.step()
    world.store.unavailable = True
    feed(world, "aa", first_second=2)

    report = replica.step()

    assert opened(world) == [("a", 2)]
    assert (report.store_errors, replica.pipeline.store_lag, replica.pipeline.is_ready) == (1, 2, True)


def test_beyond_the_bound_nothing_is_read_it_is_said_once_and_reading_goes_on_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, bounds=BOUNDED))
    feed(world, "aaa")
    replica.step()
    world.store.unavailable = True
    caplog.set_level(logging.INFO)
    for second in range(3, 40):
        feed(world, "a", first_second=second)
        replica.step()

    held_at = world.committed()[0]
    assert held_at == 3 + 5  # the bound is passed by the fifth
    assert (replica.pipeline.holding, replica.pipeline.is_ready) == (1, False)
    assert sum("holding partitions [0]" in record.getMessage() for record in caplog.records) == 1
    assert sum("store is away" in record.getMessage() for record in caplog.records) == 1

    world.store.unavailable = False
    replica.run()

    assert (world.committed(), replica.pipeline.holding) == ({0: 40}, 0)
    assert windows(replica) == [[float(second + step) for step in range(3)] for second in range(38)]


def test_a_store_away_for_longer_than_the_bound_holds_a_quiet_stream_too() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, bounds=LagBounds(readings=10**9, seconds=5.0, retry_seconds=0.5)))
    feed(world, "aaa")
    replica.step()
    world.store.unavailable = True
    feed(world, "a", first_second=3)
    replica.step()
    assert replica.pipeline.holding == 0

    for _ in range(7):
        replica.step()

    assert replica.pipeline.holding == 1
    world.store.unavailable = False
    replica.run()
    assert replica.pipeline.holding == 0


def test_a_store_away_for_longer_than_the_bound_is_asked_again_though_nothing_is_left_to_store() -> None:
    world = World()
    bounds = LagBounds(readings=1_000_000, seconds=60.0, retry_seconds=1.0)
    replica = ready(world, ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS, bounds=bounds))
    world.store.unavailable = True
    feed(world, "aaa")  # it is not in memory, and so waits
    for _ in range(90):
        replica.step()
    assert replica.pipeline.holding == 1

    world.store.unavailable = False
    replica.run()

    assert (replica.pipeline.holding, opened(world)) == (0, [("a", 2)])


def test_a_sensor_that_was_loaded_from_a_store_that_fell_back_is_restored() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS, max_sensors=2, slice_records=2))
    feed(world, "aa")
    replica.step()
    earlier = world.store.snapshot()
    feed(world, "aa", first_second=2)
    replica.step()
    feed(world, "bc", first_second=4)
    replica.step()  # a makes room
    world.store.roll_back(earlier)

    feed(world, "a", first_second=6)
    replica.run()

    assert [0.0, 1.0, 6.0] not in windows(replica)
    assert opened(world) == [("a", 2)]


def test_sensors_that_are_not_in_memory_wait_while_other_partitions_go_on() -> None:
    world = World(partitions=2)
    replica = ready(world, ALWAYS)
    feed(world, "aa", partition=0)
    feed(world, "bb", partition=1)
    replica.run()
    replica = replica.crash()
    replica.run(0, until=lambda: replica.pipeline.is_ready)
    feed(world, "a", first_second=2, partition=0)
    replica.step()  # a is in memory, b is not
    world.store.unavailable = True
    feed(world, "a", first_second=3, partition=0)
    feed(world, "b", first_second=2, partition=1)

    for _ in range(5):
        replica.step()
    assert world.committed() == {0: 4, 1: 2}
    assert replica.pipeline.holding == 1

    world.store.unavailable = False
    replica.run()
    assert sorted(opened(world)) == [("a", 2), ("b", 2)]
    assert windows(replica) == [[0, 1, 2], [1, 2, 3], [0, 1, 2]]


def test_a_store_that_does_not_give_sensors_is_counted_as_one_that_does_not_take_them() -> None:
    world = World()
    replica = ready(world, ALWAYS)
    world.store.unavailable = True
    feed(world, "a")

    assert (replica.step().store_errors, replica.pipeline.holding) == (1, 1)


def test_a_sensor_that_is_not_in_memory_is_never_taken_for_a_new_one() -> None:
    world = World()
    replica = ready(world, NEVER)
    feed(world, "aaa")
    replica.run()
    replica = replica.crash()
    replica.run(0, until=lambda: replica.pipeline.is_ready)
    world.store.unavailable = True
    feed(world, "a", first_second=3)
    for _ in range(3):
        replica.step()

    world.store.unavailable = False
    replica.run()

    assert windows(replica) == [[1, 2, 3]]


def test_a_partition_that_is_taken_away_while_it_is_held_is_not_held_by_the_next_owner() -> None:
    world = World()
    replica = ready(world, ReplicaConfig(margin=50.0, bounds=BOUNDED))
    feed(world, "aaa")
    replica.step()
    world.store.unavailable = True
    for second in range(3, 10):
        feed(world, "a", first_second=second)
        replica.step()
    assert replica.pipeline.holding == 1

    replica.rebalance()
    replica.step()
    assert replica.pipeline.holding == 0
    world.store.unavailable = False
    replica.run()

    assert world.committed() == {0: 10}
    # What was not stored is replayed: each window is scored twice at most, and always the same.
    assert {tuple(window) for window in windows(replica)} == {(second, second + 1, second + 2) for second in range(8)}


def test_a_partition_that_passes_to_another_replica_is_no_longer_held() -> None:
    world = World(partitions=2)
    plant = ReplicaConfig(margin=50.0, bounds=BOUNDED)
    first = ready(world, plant)
    feed(world, "aaa", partition=0)
    feed(world, "bbb", partition=1)
    first.run()
    world.store.unavailable = True
    for second in range(3, 10):
        feed(world, "a", first_second=second, partition=0)
        feed(world, "b", first_second=second, partition=1)
        first.step()
    assert first.pipeline.holding == 2

    second_replica = Replica(world, plant)
    for _ in range(4):
        first.step()
        second_replica.step()
    assert first.pipeline.holding == 1
    world.store.unavailable = False
    for _ in range(30):
        first.step()
        second_replica.step()

    assert world.committed() == {0: 10, 1: 10}
    assert (first.pipeline.is_ready, second_replica.pipeline.is_ready) == (True, True)


def test_a_restart_without_a_store_waits_for_it_and_reads_nothing() -> None:
    world = World()
    ready(world, ALWAYS).crash()
    world.store.unavailable = True
    feed(world, "aaa")
    replica = Replica(world, ALWAYS)

    for _ in range(5):
        replica.step()
    assert (world.committed(), replica.pipeline.is_ready) == ({0: 0}, False)

    world.store.unavailable = False
    replica.run()
    assert opened(world) == [("a", 2)]
