"""Helpers that many pipeline tests share: feed readings, start replicas, and observe the outcome."""

from __future__ import annotations

import json

from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World

#: Every full window is anomalous: each sensor opens one incident at its third reading.
ALWAYS = ReplicaConfig(margin=-50.0, update_ms=3600 * SECOND_MS)
NEVER = ReplicaConfig(margin=50.0)


def feed(world: World, sensors: str, first_second: int = 0, partition: int = 0) -> None:
    """Write one reading per letter, a second apart; the first feature is the second."""
    for second, sensor in enumerate(sensors, start=first_second):
        world.produce(sensor, START_MS + second * SECOND_MS, float(second), 1.0, partition=partition)


def opened(world: World) -> list[tuple[str, int]]:
    """Return sensor and offset of the readings that opened incidents."""
    events = [json.loads(value) for value in world.alerts()]
    return [(event["sensor_id"], event["window"]["last_offset"]) for event in events if event["status"] == "opened"]


def ready(world: World, plant: ReplicaConfig) -> Replica:
    """Return a replica that has restored its partitions."""
    replica = Replica(world, plant)
    replica.run(0, until=lambda: replica.pipeline.is_ready)
    return replica


def windows(replica: Replica) -> list[list[float]]:
    return [window[:, 0].tolist() for window in replica.scorer.windows_seen]
