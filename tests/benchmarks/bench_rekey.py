"""Measures how many readings a second are re-keyed, from an unkeyed topic that is full.

    python -m tests.benchmarks.bench_rekey [--readings 100000] [--brokers HOST:PORT]

Runs `stream-detector rekey --until-end` on a Kafka of its own, or on the given one. Readings have 3 features, 110 bytes. Prints
readings a second in the best 5 seconds, with the broker on the same machine, and the process's CPU time a reading.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.benchmarks.bench_kafka_records import reading
from tests.integration.unkeyed import produce_unkeyed, rekey_environment
from tests.servers.kafka import running_kafka

PARTITIONS = 6


def fill(settings: KafkaSettings, count: int) -> None:
    """Append readings to partitions that have nothing to do with their sensors."""
    start_ms = time.time_ns() // 1_000_000 - 600_000
    records = ((place * 7 // 3 % PARTITIONS, reading(place), start_ms + place) for place in range(count))
    produce_unkeyed(settings.brokers, settings.input_topic, records)


@dataclass(frozen=True, slots=True)
class Rekeying:
    """How fast a topic was re-keyed."""

    readings_per_second: int  # in the best 5 seconds
    cpu_us: float  # of the process, a reading, its start included
    said: str


def measure(brokers: str, readings: int) -> Rekeying:
    """Fill a topic of its own, and re-key it in a process."""
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    settings = KafkaSettings(brokers=brokers, input_topic=topic, group_id=topic, partitions=PARTITIONS)
    with KafkaTopics(settings) as topics:
        topics.ensure()
    fill(settings, readings)
    command = [sys.executable, "-m", "stream_detector", "rekey", "--to", f"{topic}-copy", "--until-end"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=rekey_environment(settings), capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rates = [int(rate) for rate in re.findall(r", (\d+)/s, ", done.stderr)]
    return Rekeying(max(rates), 1e6 * cpu / readings, done.stdout.strip())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bench_rekey", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=100_000)
    parser.add_argument("--brokers", metavar="HOST:PORT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stream-detector-rekey-") as name, ExitStack() as parts:
        brokers = options.brokers or parts.enter_context(running_kafka(Path(name))).brokers
        found = measure(brokers, options.readings)
    print(f"{found.readings_per_second:,} readings/s in the best 5 s; {found.cpu_us:.0f} us of CPU a reading, start included")
    print(found.said)


if __name__ == "__main__":
    main()
