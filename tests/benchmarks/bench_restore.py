"""Measures how long restoring takes, compared with only reading the same span, and its effect on other partitions.

    python -m tests.benchmarks.bench_restore [--sensors 100000] [--readings 32]

One replica on a real Kafka (Java and Maven needed) and Valkey, with a checksum for a model: the figures are about restoring.
A real scorer adds its time to a replay, which scores, and nothing to a rebuild, which does not. One feature, windows of 32.
CPU seconds are those of the replica; on a busy machine compare them, not the elapsed ones. Writes build/restore.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import uuid
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tests.benchmarks.restoring import PARTITIONS, Bench, Measured
from tests.integration.topics import Topics
from tests.servers.kafka import running_kafka
from tests.servers.valkey import running_valkey

REPORT = Path(__file__).resolve().parents[2] / "build" / "restore.json"


def spread(seconds: list[float]) -> str:
    """Write 50 %, 99 % and the longest, in milliseconds."""
    if not seconds:
        return "-"
    return " / ".join(f"{1000 * float(np.percentile(seconds, share)):.0f}" for share in (50, 99, 100))


def line(one: Measured, sensors: int) -> str:
    """Write one row of the table."""
    per_100k = 100_000 / sensors
    each = f"{1e6 * one.cpu_seconds / one.records:8.2f}" if one.records else f"{'-':>8}"
    return (
        f"{one.name:46} {one.records:9} {one.elapsed_seconds * per_100k:8.2f} {one.cpu_seconds * per_100k:8.2f} {each}  "
        f"{spread(one.steps)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_restore", description=__doc__.splitlines()[0])
    parser.add_argument("--sensors", type=int, default=100_000, help="sensors in the partition (default: %(default)s)")
    parser.add_argument("--readings", type=int, default=32, help="readings of each in the look-back (default: %(default)s)")
    options = parser.parse_args()
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="stream-detector-restore-") as name, ExitStack() as parts:
        kafka = parts.enter_context(running_kafka(Path(name)))
        valkey = parts.enter_context(running_valkey(Path(name) / "valkey"))
        topics = parts.enter_context(closing(Topics(kafka.brokers, f"restore-{uuid.uuid4().hex[:8]}", PARTITIONS)))
        bench = Bench(topics, valkey, options.sensors, options.readings)
        print(
            f"{'per 100,000 sensors':46} {'records':>9} {'seconds':>8} {'CPU s':>8} {'us each':>8}  steps ms, 50 % / 99 % / max"
        )
        for measured in bench.run():
            rows.append(measured)
            print(line(measured, options.sensors), flush=True)
        beside, meanwhile, after = bench.beside_live()
        print(line(beside, options.sensors))
    print("another partition meanwhile, from a record to what came of it, ms, 50 % / 99 % / max:")
    print(f"    {spread(meanwhile)}; afterwards: {spread(after)}")
    REPORT.parent.mkdir(exist_ok=True)
    rows.append(beside)
    found = {"sensors": options.sensors, "readings": options.readings, "live_late_seconds": [meanwhile, after]}
    REPORT.write_text(json.dumps(found | {"rows": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
