"""Measures `stream-detector status` beside very many stored sensors: how long a look takes, and its memory.

    python -m tests.benchmarks.bench_status [--sensors 1000000] [--partitions 8]

A Valkey of the tests is filled with records of full windows by the product's own codec. `status` then looks at as many as it
does by default, and at all of them. No Kafka is there: what is measured is the look at the store, and that of a process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from pydantic import SecretStr

from stream_detector.adapters.redis.store import RedisStore
from stream_detector.ports import PartitionMeta, Updates
from stream_detector.settings.schema import RedisSettings
from stream_detector.state.codec.encode import encode
from stream_detector.state.record_layout import layout_name
from tests.benchmarks.bench_redis_store import Window, arena_of
from tests.servers.valkey import running_valkey

WINDOW = Window(64, 3)
FEATURES = ("pressure", "temperature", "vibration")
MEMBERS = 7
EPOCH = b"epoch--1"
AT_ONCE = 4_096
GROUP, TOPIC = "stream-detector", "sensor-readings"


def fill(url: str, sensors: int, partitions: int) -> None:
    """Store records of as many sensors: those of a thousand, again and again, under other names."""
    names = [f"s{number}" for number in range(1_000)]
    arena = arena_of(WINDOW, names)
    records = encode(arena.copy_records(arena.held(0)))
    layout = layout_name(WINDOW.length, FEATURES, MEMBERS)
    with closing(RedisStore(RedisSettings(url=SecretStr(url), timeout_seconds=30), GROUP, TOPIC)) as store:
        for partition in range(partitions):
            store.begin(partition, PartitionMeta(0, EPOCH, layout, "topic"))
            ours = range(partition, sensors, partitions)
            for position, start in enumerate(range(0, len(ours), AT_ONCE)):
                numbers = ours[start : start + AT_ONCE]
                whole = {f"sensor-{number:07}": records[number % len(records)] for number in numbers}
                store.persist(partition, EPOCH, position, position + 1, Updates(whole))


def look(url: str, *options: str) -> tuple[dict[str, object], str]:
    """Run `status --json`; return its sensors, and how long it took, its processor time and the most memory that it had."""
    settings = {
        "KAFKA__BROKERS": "127.0.0.1:1",
        "KAFKA__REQUEST_TIMEOUT_SECONDS": "1",
        "REDIS__URL": url,
        "MODEL__DIRECTORY": "/nonexistent/model",
    }
    environ = os.environ | {f"STREAM_DETECTOR_{name}": value for name, value in settings.items()}
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "stream_detector", "status", "--json", *options]
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.DEVNULL)
        _, _, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        output.seek(0)
        took = f"{seconds:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of a processor, {used.ru_maxrss / 1024:,.0f} MiB"
        return json.loads(output.read())["sensors"], took


def main() -> None:
    """Fill a server, look, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running_valkey(Path(directory)) as server:
        began = time.perf_counter()
        fill(server.url, arguments.sensors, arguments.partitions)
        with closing(server.client()) as client:
            stored = int(client.info("memory")["used_memory"])
        print(
            f"{arguments.sensors:,} sensors stored in {time.perf_counter() - began:.0f} s, {stored / 2**20:,.0f} MiB in Valkey"
        )
        for options in ((), ("--sensors", str(2 * arguments.sensors))):
            sensors, took = look(server.url, *options)
            what = f"status --json {' '.join(options)}"
            print(f"{what:36} {sensors['total']:>9,} sensors, cut {sensors['cut']}: {took}")


if __name__ == "__main__":
    main()
