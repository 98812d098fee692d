"""The store follows the log, even when it fails, loses data or returns to an earlier state."""

from __future__ import annotations

import pytest

from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import PartitionMeta
from stream_detector.state.codec.encode import encode
from tests.pipeline.replica import Replica, merged
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig, committing_at_once
from tests.pipeline.world import World, stored_counts

SMALL = committing_at_once(ReplicaConfig(max_sensors=2, slice_records=2))


def feed(world: World, sensors: str, first_second: int = 0, partition: int = 0) -> None:
    """Write one reading per letter, a second apart."""
    for second, sensor in enumerate(sensors, start=first_second):
        world.produce(sensor, START_MS + second * SECOND_MS, float(second), 1.0, partition=partition)


def test_a_persist_whose_answer_was_lost_costs_no_sensor_its_state() -> None:
    world = World()
    feed(world, "aaabbcbc")
    replica = Replica(world, SMALL)
    replica.run(1, until=lambda: world.committed().get(0) == 6)  # a is evicted: only b and c are in memory
    world.store.lost_answers = 1

    reports = [replica.step(1) for _ in range(4)]

    assert replica.is_done()
    assert stored_counts(world, ["a", "b", "c"]) == [3, 3, 2]
    assert sum(report.replayed + report.rewritten_partitions for report in reports) == 0


def test_a_store_that_fell_back_to_an_earlier_state_is_brought_up_by_a_replay() -> None:
    world = World()
    feed(world, "aaabbcbc")
    replica = Replica(world, SMALL)
    replica.run(1, until=lambda: world.committed().get(0) == 2)
    earlier = world.store.snapshot()
    replica.run(1, until=lambda: world.committed().get(0) == 6)
    world.store.roll_back(earlier)

    replica.run(1)

    assert stored_counts(world, ["a", "b", "c"]) == [3, 3, 2]


def test_a_wiped_store_is_written_anew_from_memory() -> None:
    world = World()
    feed(world, "aaabbc")
    replica = Replica(world)
    replica.run()
    feed(world, "a", first_second=6)
    world.store.wipe()

    report = merged(replica.step(), replica.step())

    assert report.rewritten_partitions == 1
    assert stored_counts(world, ["a", "b", "c"]) == [4, 2, 1]


def test_a_sensor_is_not_evicted_while_the_store_is_written_anew() -> None:
    world = World()
    feed(world, "aab")
    replica = Replica(world, SMALL)
    replica.run(1)
    feed(world, "a", first_second=3)
    world.store.wipe()
    world.store.healthy_persists = 1  # the wipe is noticed; the rewriting fails
    replica.step(1)
    feed(world, "c", first_second=4)
    replica.step(1)  # c asks for room; b is not stored anywhere

    world.store.unavailable = False
    replica.run(1)

    assert stored_counts(world, ["a", "b", "c"]) == [3, 1, 1]


@pytest.mark.parametrize("healthy_steps", range(1, 5))
def test_a_wipe_while_a_partition_is_rebuilt_begins_the_rebuild_again(healthy_steps: int) -> None:
    world = World()
    feed(world, "abcabcabc")
    replica = Replica(world, ReplicaConfig(start="latest", slice_records=2))
    for _ in range(healthy_steps):
        replica.step()
    world.store.wipe()

    replica.run()
    feed(world, "abc", first_second=9)
    replica.run()

    assert stored_counts(world, ["a", "b", "c"]) == [4, 4, 4]


def test_a_wipe_while_a_partition_is_replayed_does_not_lose_the_sensors_that_are_not_in_memory() -> None:
    world = World()
    feed(world, "bbb")
    replica = Replica(world, ReplicaConfig(slice_records=1))
    replica.run()
    world.store.healthy_persists = 0
    feed(world, "aaa", first_second=3)
    replica.run(until=lambda: world.committed().get(0) == 6)
    world.store.unavailable = False
    replica = replica.crash()
    replica.step()
    replica.step()  # a slice of the replay is done: only a is in memory
    world.store.wipe()

    replica.run()
    feed(world, "ab", first_second=6)
    replica.run()

    assert stored_counts(world, ["a", "b"]) == [4, 4]


def test_a_sensor_that_expired_in_the_store_is_written_whole_from_memory() -> None:
    world = World()
    feed(world, "aab")
    replica = Replica(world)
    replica.run()
    world.store.expire(0, "a")
    feed(world, "a", first_second=3)

    replica.run()

    assert stored_counts(world, ["a", "b"]) == [3, 1]
    assert world.store.records(0, ["a"]) == encode(replica.detector.arena.copy_records(replica.detector.arena.held(0)[:1]))


def test_a_sensor_in_two_partitions_is_warned_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    world = World(partitions=2)
    replica = Replica(world)
    feed(world, "ab", partition=0)
    feed(world, "cd", partition=1)
    replica.run()
    assert not [line for line in caplog.messages if "Key all records of a sensor" in line]

    feed(world, "a", partition=1)
    replica.step()
    feed(world, "b", first_second=1, partition=1)
    replica.step()
    lines = [line for line in caplog.messages if "Key all records of a sensor" in line]
    assert len(lines) == 1
    assert lines[0].startswith("sensor 'a' is read from partition 0 and from 1: it has a window in each")

    world.clock.advance(60.0)
    feed(world, "c", partition=0)
    replica.step()
    assert len([line for line in caplog.messages if "Key all records of a sensor" in line]) == 2


def test_no_sensor_makes_room_when_the_writing_anew_cannot_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    feed(world, "aab")
    replica = Replica(world, SMALL)
    replica.run(1)
    world.store.wipe()

    def away(partition: int, meta: PartitionMeta) -> None:
        raise StoreUnavailableError(f"no answer for partition {partition}: {meta.layout}")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "begin", away)
        feed(world, "a", first_second=3)
        replica.step(1)
        replica.step(1)
    replica.detector.arena.next_batch()
    assert not replica.detector.arena.make_room(1)

    replica.run(1)
    assert stored_counts(world, ["a", "b"]) == [3, 1]


def test_writing_anew_shows_that_it_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_detector.pipeline.state_writer._REWRITE_SENSORS", 2)
    world, moved = World(), list[int]()
    feed(world, "abcde")
    replica = Replica(world)
    replica.run()
    monkeypatch.setattr(replica.state.writer, "_on_progress", lambda: moved.append(len(moved)))
    world.store.wipe()
    replica.state.guard.require_check()

    replica.step()

    assert (stored_counts(world, list("abcde")), len(moved)) == ([1] * 5, 3)  # slices of two
