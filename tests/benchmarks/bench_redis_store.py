"""Cost of the Redis store: CPU of the client and of the server, and time, per reading; memory of the server per sensor.

    python -m tests.benchmarks.bench_redis_store [--sensors 4096] [--batches 50] [--cluster]

Every batch changes the head and one row of each sensor's record, as a poll with one reading per sensor does, and is written
by what changed and whole (the product does the one or the other, by persistence.WHOLE_BYTES). A server
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
from pathlib import Path

from pydantic import SecretStr

from stream_detector.adapters.redis_store import RedisStore
from stream_detector.ports import PartitionMeta, SensorUpdate, StoreVerdict
from stream_detector.settings import RedisSettings
from stream_detector.state import record_dtype
from tests.servers.valkey import Valkey, running_cluster, running_valkey

MEMBERS = 7
EPOCH = b"epoch--1"
WEIGHED_SENSORS = 100_000
SLICE_SENSORS = 4096


@dataclass(frozen=True, slots=True)
class Window:
    """The shape of the windows held: T rows of F values, each row with its time."""

    length: int
    features: int

    @property
    def record_bytes(self) -> int:
        return record_dtype(self.length, self.features, MEMBERS).itemsize

    @property
    def row_bytes(self) -> int:
        return record_dtype(self.length, self.features, MEMBERS)["rows"].itemsize // self.length

    @property
    def head_bytes(self) -> int:
        """All but the values: header and moments."""
        return self.record_bytes - self.length * self.row_bytes


def batch(window: Window, sensors: list[str], number: int, *, is_whole: bool = False) -> list[SensorUpdate]:
    """Return the updates of batch `number`: head and one row, or the whole; the first is whole."""
    prefix = number.to_bytes(16, "big")
    record = prefix + bytes(window.record_bytes - len(prefix))
    expected = (number - 1).to_bytes(16, "big") if number and not is_whole else None
    row = window.head_bytes + number % window.length * window.row_bytes
    spans = ((0, window.head_bytes), (row, row + window.row_bytes))
    return [SensorUpdate(sensor, record, expected, spans) for sensor in sensors]


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


def measure(name: str, servers: list[Valkey], readings: int, work: Callable[[], None]) -> None:
    """Run `work` and print its cost per reading in microseconds."""
    server_before, client_before, before = server_cpu_seconds(servers), time.process_time(), time.perf_counter()
    work()
    elapsed, client = time.perf_counter() - before, time.process_time() - client_before
    server = server_cpu_seconds(servers) - server_before
    per_reading = [1e6 * seconds / readings for seconds in (client, server, elapsed)]
    print(f"{name:34} client {per_reading[0]:6.2f} us  server {per_reading[1]:6.2f} us  elapsed {per_reading[2]:6.2f} us")


def run(store: RedisStore, servers: list[Valkey], window: Window, sensors: list[str], batches: int) -> None:
    first = batch(window, sensors, 0)
    changes = [batch(window, sensors, number) for number in range(1, batches + 1)]
    wholes = [batch(window, sensors, number, is_whole=True) for number in range(batches + 1, 2 * batches + 1)]
    partition = window.record_bytes
    store.begin(partition, PartitionMeta(0, EPOCH, "layout", "topic"))

    def persist(updates: list[SensorUpdate], start: int) -> None:
        verdict = store.persist(partition, EPOCH, start, start + 1, updates)
        if verdict != StoreVerdict.APPLIED:
            raise SystemExit(verdict)

    def persist_all(given: list[list[SensorUpdate]], start: int) -> None:
        for number, updates in enumerate(given, start):
            persist(updates, number)

    def load() -> None:
        if None in store.load(partition, EPOCH, sensors):
            raise SystemExit("a sensor is missing")

    shape = f"T={window.length} F={window.features}"
    readings = len(sensors) * batches
    measure(f"persist a first time, {shape}", servers, len(sensors), lambda: persist(first, 0))
    measure(f"persist head and row, {shape}", servers, readings, lambda: persist_all(changes, 1))
    measure(f"persist whole, {shape}", servers, readings, lambda: persist_all(wholes, batches + 1))
    measure(f"load, {shape}", servers, len(sensors), load)


def weigh(store: RedisStore, servers: list[Valkey], window: Window) -> None:
    """Fill a partition with sensors and print what each takes of the servers' memory."""
    store.ping()
    before = used_memory(servers)
    store.begin(0, PartitionMeta(0, EPOCH, "layout", "topic"))
    for number, first in enumerate(range(0, WEIGHED_SENSORS, SLICE_SENSORS)):
        sensors = [f"pump-{sensor:07}" for sensor in range(first, min(first + SLICE_SENSORS, WEIGHED_SENSORS))]
        if store.persist(0, EPOCH, number, number + 1, batch(window, sensors, 0)) != StoreVerdict.APPLIED:
            raise SystemExit("not applied")
    per_sensor = (used_memory(servers) - before) / WEIGHED_SENSORS
    share = per_sensor / (4 * window.length * window.features)
    name = f"memory, T={window.length} F={window.features}"
    print(f"{name:34} {per_sensor:.0f} bytes a sensor, {share:.2f} of its window's; its record {window.record_bytes}")


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
                    weigh(store, servers, window)
                    run(store, servers, window, sensors, options.batches)


if __name__ == "__main__":
    main()
