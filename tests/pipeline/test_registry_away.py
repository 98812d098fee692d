"""The pipeline while the schema registry is away: it holds what it cannot decode, loses nothing, and goes on by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from stream_detector.errors import RegistryUnavailableError
from stream_detector.readings import Decoded, Record
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, START_MS
from tests.pipeline.world import World


class Schemas:
    """Makes a replica's decoder need a schema, for records that have values, that it may not get."""

    def __init__(self, replica: Replica, *, needed_in: frozenset[int] = frozenset((0, 1))) -> None:
        self.are_away = True
        self._decode = replica.decoder.decode
        self._needed_in = needed_in
        replica.decoder.decode = self.decode  # type: ignore[method-assign]  # stands between

    def decode(self, records: Sequence[Record]) -> Decoded:
        if self.are_away and any(record.partition in self._needed_in for record in records):
            msg = "connection refused"
            raise RegistryUnavailableError(msg)
        return self._decode(records)


def feed(world: World, partition: int = 0, first: int = 0, count: int = 40) -> None:
    for second in range(first, first + count):
        stamp = START_MS + second * SECOND_MS
        world.produce(f"pump-{partition}", stamp, second * 0.37 % 1.0, 1.0, partition=partition)


def ready_replica(world: World) -> Replica:
    replica = Replica(world)
    replica.run(until=lambda: replica.pipeline.is_ready)
    return replica


def undisturbed(partitions: int) -> list[bytes]:
    """Return the alerts of a registry that is never away."""
    world = World(partitions)
    replica = ready_replica(world)
    for partition in range(partitions):
        feed(world, partition)
    replica.run()
    return world.alerts()


def test_nothing_is_committed_or_lost_while_the_registry_is_away_and_all_is_read_when_it_is_back() -> None:
    world = World()
    replica = ready_replica(world)
    schemas = Schemas(replica)
    feed(world)
    before = world.committed()
    reports = [replica.step() for _ in range(10)]
    committed_while_away = world.committed()
    schemas.are_away = False
    replica.run()

    assert committed_while_away == before
    assert sum(report.registry_errors for report in reports) > 1
    assert world.committed() == world.ends() == {0: 40}
    assert world.dead_letters() == []
    assert world.alerts() == undisturbed(1)


def test_a_replica_that_waits_for_the_registry_is_not_ready_and_says_for_what_it_waits() -> None:
    world = World()
    replica = ready_replica(world)
    schemas = Schemas(replica)
    feed(world)
    replica.turn()
    waiting = (replica.pipeline.is_ready, replica.pipeline.holding, replica.pipeline.waits_for)
    schemas.are_away = False
    replica.run()

    assert waiting == (False, 1, "waiting for the schema registry")
    assert (replica.pipeline.is_ready, replica.pipeline.holding, replica.pipeline.waits_for) == (True, 0, "")


def test_the_registry_is_said_to_be_away_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    replica = ready_replica(world)
    schemas = Schemas(replica)
    feed(world)
    for _ in range(10):
        replica.turn()
    schemas.are_away = False
    replica.run()

    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 2
    assert lines[0] == "holding partition 0 until the schema registry answers: connection refused"
    assert lines[1].startswith("the schema registry answers: reading continues after ")


def test_a_partition_that_needs_no_schema_goes_on() -> None:
    world = World(2)
    replica = ready_replica(world)
    schemas = Schemas(replica, needed_in=frozenset((1,)))
    feed(world, partition=1)
    replica.step()
    feed(world, partition=0)
    replica.run(until=lambda: world.committed()[0] == 40)
    of_other = world.committed().get(1, 0)
    schemas.are_away = False
    replica.run()

    assert of_other == 0
    assert world.committed() == {0: 40, 1: 40}


def test_a_held_partition_that_is_revoked_and_comes_back_is_read_from_where_it_was() -> None:
    world = World()
    replica = ready_replica(world)
    schemas = Schemas(replica)
    feed(world)
    for _ in range(3):
        replica.turn()
    replica.rebalance()
    for _ in range(3):
        replica.turn()
    schemas.are_away = False
    replica.run()

    assert world.committed() == world.ends()
    assert world.alerts() == undisturbed(1)


def test_a_crash_while_the_registry_is_away_loses_nothing() -> None:
    world = World()
    replica = ready_replica(world)
    Schemas(replica)
    feed(world)
    for _ in range(3):
        replica.turn()
    replica.crash().run()

    assert world.committed() == world.ends()
    assert world.alerts() == undisturbed(1)


def test_a_restoration_waits_for_the_registry_too() -> None:
    world = World()
    feed(world)
    first = ready_replica(world)
    first.run()
    world.store.roll_back(({}, {}, {}))
    second = first.crash()
    schemas = Schemas(second)
    for _ in range(5):
        second.turn()
    was_ready = second.pipeline.is_ready
    schemas.are_away = False
    second.run()

    assert not was_ready
    assert second.pipeline.is_ready
