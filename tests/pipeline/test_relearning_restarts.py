"""A sensor that learns features again after an accepted incident goes on with that through crashes and a store's fall back."""

from __future__ import annotations

import pytest

from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.scene import ready
from tests.pipeline.world import World

#: Many windows are anomalous, and an incident is accepted after seven seconds, by a window that its new level explains. Then a
#: feature is hidden for some readings.
PLANT = ReplicaConfig(margin=0.1, accept_ms=7 * SECOND_MS, learned_count=40)
COUNT = 38


def send(world: World, first: int, stop: int) -> None:
    """Write readings of a sensor of the model whose second feature moves to another level."""
    for second in range(first, stop):
        shifted = 200.0 if second >= 4 else 1.0
        world.produce("a", START_MS + second * SECOND_MS, 0.1 * (second % 7), shifted + 0.1 * (second % 5))


def quiet_run() -> World:
    world = World()
    replica = ready(world, PLANT)
    for second in range(COUNT):
        send(world, second, second + 1)
        replica.run()
    return world


def accepted_at(world: World) -> int:
    """Return how many readings there were when an incident was first accepted."""
    return next(int(one["window"]["last_offset"]) + 1 for one in world.events() if one["incident"]["accepted"])


def relearning(replica: Replica) -> bool:
    """Return whether the sensor learns features again, by its record."""
    arena = replica.detector.arena
    return bool((arena.records["moments"]["count"][arena.slot(0, "a")] > 0).any())


def test_a_quiet_run_has_a_sensor_that_relearns_and_says_so() -> None:
    states = [event["sensor_state"] for event in quiet_run().events()]

    assert "relearning" in states
    assert states[-1] != "warming"


@pytest.mark.parametrize("crash_at", range(4, COUNT - 3, 3))
@pytest.mark.parametrize("is_stored", [True, False])
def test_a_crash_anywhere_gives_the_events_and_the_record_of_a_quiet_run(crash_at: int, is_stored: bool) -> None:
    quiet, world = quiet_run(), World()
    replica = ready(world, PLANT)
    send(world, 0, crash_at)
    replica.run()
    if not is_stored:
        world.store.healthy_persists = 0  # the store is away when the next two are committed
    send(world, crash_at, crash_at + 2)
    replica.step()
    world.store.healthy_persists, world.store.unavailable = None, False
    before = relearning(replica)
    replica = replica.crash()
    send(world, crash_at + 2, COUNT)
    replica.run()

    assert world.alerts() == quiet.alerts()
    assert world.store.records(0, ["a"]) == quiet.store.records(0, ["a"])
    assert before == (crash_at + 2 >= accepted_at(quiet))
    assert relearning(replica)


def test_a_store_that_falls_back_to_before_the_acceptance_replays_it() -> None:
    quiet, world = quiet_run(), World()
    replica = ready(world, PLANT)
    send(world, 0, 6)
    replica.run()
    earlier = world.store.snapshot()
    send(world, 6, 14)
    replica.run()

    replica = replica.crash()
    world.store.roll_back(earlier)
    send(world, 14, COUNT)
    replica.run()

    assert relearning(replica)
    assert world.alerts() == quiet.alerts()
    assert world.store.records(0, ["a"]) == quiet.store.records(0, ["a"])
