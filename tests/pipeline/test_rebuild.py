"""Rebuilding from the log: which records are written to the store, and how many per call."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from stream_detector.ports import StoreVerdict, Updates
from tests.fakes.fragile_store import FragileStore
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World

SENSORS = [f"pump-{number}" for number in range(20)]
ROUNDS, SLICE = 4, 3
CROWDED = 10  # sensors in memory: fewer than there are


@dataclass(slots=True)
class Writes:
    """The writes to a store, call by call."""

    sizes: list[int] = field(default_factory=list)
    sensors: list[str] = field(default_factory=list)


def watched(store: FragileStore, monkeypatch: pytest.MonkeyPatch) -> Writes:
    """Record the persists of a store."""
    writes, persist = Writes(), store.persist

    def noted(partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        sensors = [*updates.whole, *(update.sensor for update in updates.changed)]
        writes.sizes.append(len(sensors))
        writes.sensors += sensors
        return persist(partition, epoch, start, stop, updates)

    monkeypatch.setattr(store, "persist", noted)
    return writes


def feed(world: World, first: int, rounds: int, partition: int = 0) -> None:
    """Append rounds of readings, one of each sensor; the value is the number of the round."""
    for turn in range(first, first + rounds):
        for sensor in SENSORS:
            world.produce(sensor, START_MS + turn * SECOND_MS, float(turn), 0.0, partition=partition)


def after_a_loss(max_sensors: int, partitions: int = 1) -> Replica:
    """Return a replica, not yet started, of a group that has processed the entire log; the store has lost everything."""
    world = World(partitions)
    for partition in range(partitions):
        feed(world, 0, ROUNDS, partition)
    replica = Replica(world, ReplicaConfig(margin=50.0, max_sensors=max_sensors, slice_records=SLICE))
    replica.run(SLICE)
    world.store.wipe()
    return replica.crash()


def test_a_rebuild_writes_each_sensor_once_at_its_end_in_calls_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = after_a_loss(max_sensors=1000)
    writes = watched(replica.world.store, monkeypatch)

    replica.run(SLICE)

    assert sorted(writes.sensors) == sorted(SENSORS)
    assert max(writes.sizes) == SLICE


def test_a_rebuild_of_more_sensors_than_memory_holds_makes_room_by_writing_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = after_a_loss(max_sensors=CROWDED)
    writes = watched(replica.world.store, monkeypatch)

    replica.run(SLICE)

    assert set(writes.sensors) == set(SENSORS)
    assert max(writes.sizes) == SLICE
    assert not replica.pipeline.store_lag


@pytest.mark.parametrize("max_sensors", [CROWDED, 2 * len(SENSORS), 1000])
@pytest.mark.parametrize("partitions", [1, 2])
def test_the_windows_after_a_rebuild_are_those_of_the_log(max_sensors: int, partitions: int) -> None:
    replica = after_a_loss(max_sensors, partitions)
    replica.run(SLICE)

    for partition in range(partitions):
        feed(replica.world, ROUNDS, 1, partition)
    replica.run(SLICE)

    newest = [float(turn) for turn in range(ROUNDS - 2, ROUNDS + 1)]
    assert [window[:, 0].tolist() for window in replica.scorer.windows_seen] == [newest] * partitions * len(SENSORS)


def test_a_partition_that_is_rebuilt_leaves_the_others_room_for_a_batch_at_every_step() -> None:
    replica = after_a_loss(CROWDED, partitions=2)
    replica.world.log.set_committed("detectors", "readings", 1, 0)
    arena = replica.detector.arena

    while not replica.pipeline.is_ready:
        replica.step(SLICE)
        assert arena.unsaved_count <= CROWDED - SLICE
        assert replica.pipeline.holding == 0


def test_a_rebuild_that_is_cut_short_begins_again() -> None:
    replica = after_a_loss(max_sensors=1000)
    while not any(position > -(1 << 40) for position in replica.world.store.positions().values()):
        replica.step(SLICE)  # until the first sensors are written

    replica = replica.crash()
    reports = [replica.step(SLICE) for _ in range(100)]

    assert sum(report.restores["rebuild"] for report in reports) == 1
    assert sum(report.replayed for report in reports) == ROUNDS * len(SENSORS)
