"""Measures the cost of the Redis store: time and CPU of client and server per reading, and server memory per sensor.

    python -m tests.benchmarks.bench_redis_store [--sensors 4096] [--batches 50] [--cluster]

Every batch changes the head and one row of each sensor's record, as a poll with one reading per sensor does, and is written
compact, whole as it is, and by what changed (the product does the first or the last, by persistence.WHOLE_BYTES). A server
of the tests is started for each shape of window, on the same machine. Keys are those of the default group and topic. Memory
depends on the allocator: the tests' server has that of the C library, other builds round sizes up to jemalloc's classes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from stream_detector.adapters.redis.store import RedisStore
from stream_detector.pipeline.state_snapshot import unsaved_updates
from stream_detector.ports import PartitionMeta, StoreVerdict, Updates
from stream_detector.readings import Readings
from stream_detector.settings.schema import RedisSettings
from stream_detector.state.arena import Arena
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import new_records
from stream_detector.state.windows import append
from tests.servers.valkey import Valkey, running_cluster, running_valkey

MEMBERS = 7
EPOCH = b"epoch--1"
WEIGHED_SENSORS = 100_000
SLICE_SENSORS = 4096
INTERVAL_MS, JITTER_MS = 1000, 100


@dataclass(frozen=True, slots=True)
class Window:
    """The shape of the windows held: T rows of F values, each row with its time."""

    length: int
    features: int


def arena_of(window: Window, sensors: list[str]) -> Arena:
    """Return an arena with full windows of these sensors: values of three decimals that wander, at times that jitter.

    The model does not know the sensors, so their records hold moments of their own.
    """
    total, turns = len(sensors), window.length
    random = np.random.default_rng(0)
    arena = Arena(total, window.length, window.features, MEMBERS)
    arena.make_room(total)
    records, nobody = new_records(total, window.length, window.features, MEMBERS), np.zeros(total, np.bool_)
    arena.insert(0, sensors, records, nobody, np.full(total, UNKNOWN, np.int32))
    walk = random.normal(0, 0.3, (turns, total, window.features)).cumsum(axis=0)
    times_ms = INTERVAL_MS * np.arange(turns)[:, None] + random.integers(0, JITTER_MS, (turns, total))
    readings = Readings(
        sensors=sensors * turns,
        partitions=np.zeros(total * turns, np.int32),
        places=np.arange(total * turns),
        times_ms=times_ms.reshape(-1),
        values=(60 + walk).round(3).reshape(-1, window.features).astype(np.float32),
    )
    append(arena.records, arena.slots(readings), readings, 10 * INTERVAL_MS)
    arena.records["moments"]["count"] = 1
    return arena


def batch(arena: Arena, *, is_whole: bool) -> Updates:
    """Return updates of all sensors: header and newest row, or the entire record."""
    slots = arena.held(0)
    arena.stored_time_ms[slots], arena.unsaved_rows[slots] = arena.records["header"]["last_time_ms"][slots], 1
    return unsaved_updates(arena, slots, arena.records.itemsize if is_whole else 0)


def server_cpu_seconds(servers: list[Valkey]) -> float:
    total = 0.0
    for server in servers:
        with closing(server.client()) as client:
            used = client.info("cpu")
            total += float(used["used_cpu_user"]) + float(used["used_cpu_sys"])
    return total


def used_memory(servers: list[Valkey]) -> int:
    total = 0
    for server in servers:
        with closing(server.client()) as client:
            total += int(client.info("memory")["used_memory"])
    return total


def measure(name: str, servers: list[Valkey], readings: int, work: Callable[[], object]) -> None:
    """Run `work` and print its cost per reading in microseconds."""
    server_before, client_before, before = server_cpu_seconds(servers), time.process_time(), time.perf_counter()
    work()
    elapsed, client = time.perf_counter() - before, time.process_time() - client_before
    server = server_cpu_seconds(servers) - server_before
    per_reading = [1e6 * seconds / readings for seconds in (client, server, elapsed)]
    print(f"{name:34} client {per_reading[0]:6.2f} us  server {per_reading[1]:6.2f} us  elapsed {per_reading[2]:6.2f} us")


def run(store: RedisStore, servers: list[Valkey], window: Window, sensors: list[str], batches: int) -> None:
    arena, position = arena_of(window, sensors), count()
    whole, changed = batch(arena, is_whole=True), batch(arena, is_whole=False)
    plain = Updates({update.sensor: update.record for update in changed.changed})
    partition = arena.records.itemsize
    store.begin(partition, PartitionMeta(0, EPOCH, "layout", "topic"))

    def persist(updates: Updates, times: int = 1) -> None:
        for start in islice(position, times):
            verdict = store.persist(partition, EPOCH, start, start + 1, updates)
            if verdict != StoreVerdict.APPLIED:
                raise SystemExit(verdict.value)

    def load() -> None:
        if None in store.load(partition, EPOCH, sensors):
            raise SystemExit("a sensor is missing")

    shape, readings = f"T={window.length} F={window.features}", len(sensors) * batches
    persist(whole)
    measure(f"persist compact, {shape}", servers, readings, lambda: persist(whole, batches))
    persist(plain)
    measure(f"persist whole as it is, {shape}", servers, readings, lambda: persist(plain, batches))
    measure(f"persist head and row, {shape}", servers, readings, lambda: persist(changed, batches))
    measure(f"make compact, {shape}", servers, readings, lambda: [batch(arena, is_whole=True) for _ in range(batches)])
    measure(f"load, {shape}", servers, len(sensors), load)


def weigh(store: RedisStore, servers: list[Valkey], window: Window, *, is_compact: bool) -> None:
    """Fill a partition with sensors and print the server memory per sensor."""
    store.ping()
    for server in servers:
        with closing(server.client()) as client:
            client.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call] # else memory is freed later
    before, stored = used_memory(servers), 0
    store.begin(0, PartitionMeta(0, EPOCH, "layout", "topic"))
    for number, first in enumerate(range(0, WEIGHED_SENSORS, SLICE_SENSORS)):
        sensors = [f"pump-{sensor:07}" for sensor in range(first, min(first + SLICE_SENSORS, WEIGHED_SENSORS))]
        arena = arena_of(window, sensors)
        updates = unsaved_updates(arena, arena.held(0), arena.records.itemsize if is_compact else 0)
        stored += sum(map(len, updates.whole.values()))
        if store.persist(0, EPOCH, number, number + 1, updates) != StoreVerdict.APPLIED:
            raise SystemExit("not applied")
    per_sensor = (used_memory(servers) - before) / WEIGHED_SENSORS
    share = per_sensor / (4 * window.length * window.features)
    name = f"memory, {'compact' if is_compact else 'as it is'}, T={window.length} F={window.features}"
    print(f"{name:34} {per_sensor:.0f} bytes a sensor, {share:.2f} of its window's; its record {stored / WEIGHED_SENSORS:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sensors", type=int, default=4096, help="sensors, all in every batch (default: %(default)s)")
    parser.add_argument("--batches", type=int, default=50, help="batches (default: %(default)s)")
    parser.add_argument("--cluster", action="store_true", help="a cluster of three instead of one server")
    options = parser.parse_args()
    sensors = [f"pump-{number:07}" for number in range(options.sensors)]
    for window in (Window(length=32, features=1), Window(length=64, features=8)):
        with tempfile.TemporaryDirectory() as directory:
            where = Path(directory)
            with running_cluster(where) if options.cluster else running_valkey(where) as started:
                servers = started if isinstance(started, list) else [started]
                settings = RedisSettings(url=SecretStr(servers[0].url), cluster=options.cluster)
                with closing(RedisStore(settings, "stream-detector", "sensor-readings")) as store:
                    weigh(store, servers, window, is_compact=False)
                    weigh(store, servers, window, is_compact=True)
                    run(store, servers, window, sensors, options.batches)


if __name__ == "__main__":
    main()
