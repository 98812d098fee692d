"""Everything that survives a crash of a replica: the log, the store and the connection to it, and the clock."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from stream_detector.state.codec.decode import decode
from tests.fakes.clock import Clock
from tests.fakes.fragile_store import FragileStore
from tests.fakes.late_executor import LateExecutor
from tests.fakes.memory_log import MemoryLog
from tests.pipeline.replica_config import ALERTS, DEAD_LETTERS, GROUP, INPUT, MODEL, reading


class World:
    """The log, the store and the connection to it, and the clock, all of which survive a crash of a replica."""

    def __init__(self, partitions: int = 1) -> None:
        self.log = MemoryLog()
        self.store = FragileStore()
        self.in_transit = LateExecutor()
        self.clock = Clock()
        self._epochs = itertools.count()
        for topic, count in ((INPUT, partitions), (ALERTS, 1), (DEAD_LETTERS, 1)):
            self.log.create_topic(topic, count)

    def random_bytes(self, size: int) -> bytes:
        """Return unique bytes, in place of random ones."""
        return next(self._epochs).to_bytes(size, "big")

    def produce(
        self, sensor: str, time_ms: int, *values: float | None, partition: int = 0, timestamp: int | None = None
    ) -> int:
        """Append a reading; return its offset."""
        stamp = time_ms if timestamp is None else timestamp
        return self.log.append(INPUT, partition, reading(sensor, time_ms, *values), key=sensor.encode(), timestamp=stamp)

    def alerts(self) -> list[bytes]:
        """Return the events on the alerts topic, in order."""
        return [record.value or b"" for record in self.log.records(ALERTS)]

    def events(self) -> list[dict[str, Any]]:
        """Return the events on the alerts topic, decoded."""
        return [json.loads(value) for value in self.alerts()]

    def alerts_by_sensor(self) -> dict[bytes, list[bytes]]:
        """Return each sensor's events, in order."""
        found: dict[bytes, list[bytes]] = defaultdict(list)
        for record in self.log.records(ALERTS):
            found[record.key or b""].append(record.value or b"")
        return dict(found)

    def dead_letters(self) -> list[tuple[bytes | None, tuple[tuple[str, bytes | None], ...]]]:
        """Return values and headers on the dead-letter topic."""
        return [(record.value, record.headers) for record in self.log.records(DEAD_LETTERS)]

    def committed(self) -> dict[int, int]:
        """Return the group's positions."""
        return self.log.committed(GROUP, INPUT)

    def ends(self) -> dict[int, int]:
        """Return the ends of the input topic."""
        return {number: self.log.bounds(INPUT, number)[1] for number in range(self.log.partition_count(INPUT))}


def stored_counts(world: World, sensors: Sequence[str], partition: int = 0) -> list[int]:
    """Return how many readings the stored state of each sensor includes; 0 if nothing is stored."""
    stored = world.store.records(partition, list(sensors))
    records, is_there = decode(stored, MODEL.window_length, len(MODEL.features), len(MODEL.members))
    assert is_there.tolist() == [one is not None for one in stored]
    return [int(count) for count in records["header"]["count"]]
