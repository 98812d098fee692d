"""A log of two Sparkplug nodes and their three devices: births, later ones with other aliases, data, deaths, lost messages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.ingest.sparkplug_messages import DOUBLE, INT16, metric, payload, session
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS
from tests.pipeline.world import World

#: Node and device of each sensor; the nodes themselves are sensors too.
SENSORS = ((0, ""), (0, "d1"), (0, "d2"), (1, ""), (1, "d4"))
NAMES = tuple(f"g/n{node}/{device}" if device else f"g/n{node}" for node, device in SENSORS)


def partition_of(sensor: int, partitions: int) -> int:
    """Return the partition of a sensor: that of its node."""
    return SENSORS[sensor][0] % partitions


@dataclass
class Nodes:
    """What the nodes send, at random."""

    random: np.random.Generator
    seq: dict[int, int] = field(default_factory=dict)
    sessions: dict[int, int] = field(default_factory=dict)
    aliases: dict[int, dict[str, int]] = field(default_factory=dict)  # by sensor
    unborn: list[int] = field(default_factory=list)  # devices whose birth comes next

    def message(self, now_ms: int) -> tuple[int, str, bytes]:
        """Return the sensor, the kind and the payload of the next message."""
        chance = self.random.random()
        if self.unborn and chance < 0.7:
            return self._birth(self.unborn.pop(), now_ms)
        sensor = int(self.random.integers(len(SENSORS)))
        if chance < 0.12:
            return self._birth(sensor, now_ms)
        if chance < 0.2:
            return self._death(sensor, now_ms)
        return self._data(sensor, now_ms)

    def _birth(self, sensor: int, now_ms: int) -> tuple[int, str, bytes]:
        node, device = SENSORS[sensor]
        first = int(self.random.integers(1, 90))
        self.aliases[sensor] = {"a": first, "b": first + int(self.random.choice([-1, 1]))}
        extra = []
        if not device:
            self.seq[node], self.sessions[node] = -1, self.sessions.get(node, 0) + 1
            extra = [session(self.sessions[node])]
            self.unborn = [at for at, (of, name) in enumerate(SENSORS) if of == node and name]
        if self.random.random() < 0.2:
            del self.aliases[sensor]["b"]
        metrics = [self._metric(name, alias) for name, alias in self.aliases[sensor].items()]
        return sensor, f"{'D' if device else 'N'}BIRTH", self._payload(node, [*extra, *metrics], now_ms)

    def _death(self, sensor: int, now_ms: int) -> tuple[int, str, bytes]:
        node, device = SENSORS[sensor]
        if device:
            return sensor, "DDEATH", self._payload(node, [], now_ms)
        is_stale = self.random.random() < 0.2
        return sensor, "NDEATH", payload([session(self.sessions.get(node, 0) - is_stale)], at_ms=now_ms)

    def _data(self, sensor: int, now_ms: int) -> tuple[int, str, bytes]:
        node, device = SENSORS[sensor]
        time_ms = now_ms - int(self.random.choice([0, 2 * SECOND_MS], p=[0.9, 0.1]))
        chosen = [name for name in ("a", "b") if self.random.random() < 0.7] or ["a"]
        metrics = []
        for name in chosen:
            alias = self.aliases.get(sensor, {}).get(name, 99)
            is_named = self.random.random() < 0.1
            metrics.append(self._metric(name if is_named else "", None if is_named else alias))
        return sensor, f"{'D' if device else 'N'}DATA", self._payload(node, metrics, time_ms)

    def _metric(self, name: str, alias: int | None) -> bytes:
        value = None if self.random.random() < 0.1 else int(self.random.integers(10))
        datatype = int(self.random.choice([DOUBLE, INT16]))
        return metric(name, value, alias=alias, datatype=datatype)

    def _payload(self, node: int, metrics: list[bytes], time_ms: int) -> bytes:
        self.seq[node] = (self.seq.get(node, 0) + int(self.random.choice([1, 2], p=[0.95, 0.05]))) % 256
        return payload(metrics, at_ms=time_ms, seq=self.seq[node])


def fill_sparkplug(world: World, seed: int, records: int, partitions: int) -> None:
    """Write a log of nodes that begin with their births."""
    random = np.random.default_rng(seed)
    nodes = Nodes(random)
    now_ms = START_MS
    for number in range(records):
        now_ms += int(random.choice([0, 300, 1000, 1000, 2500, 90_000], p=[0.1, 0.3, 0.3, 0.2, 0.08, 0.02]))
        sensor, kind, value = nodes._birth(number, now_ms) if number < len(SENSORS) else nodes.message(now_ms)
        node, device = SENSORS[sensor]
        topic = f"spBv1.0/g/{kind}/n{node}" + (f"/{device}" if device else "")
        partition = partition_of(sensor, partitions)
        world.log.append(INPUT, partition, value, key=topic.encode(), timestamp=now_ms)
        if random.random() < 0.1:
            world.log.append_gap(INPUT, partition, int(random.integers(1, 3)))
