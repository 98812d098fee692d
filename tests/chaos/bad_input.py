"""A round of hostile input on a real Kafka and Valkey: every record is accounted for, and nothing grows without bound.

    python -m tests.chaos.bad_input --records 1000000 --seed 7

corpus.py makes the records, and a pipeline in its own process reads them (bad_input_process.py). Afterwards
bad_input_account.py computes the required outcome of each record, and bad_input_checks.py compares it with the actual one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from redis import Redis

from stream_detector.adapters.kafka.client_patches.damaged_batches import MAXIMUM_UNCOMPRESSED_BYTES
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.chaos.bad_input_account import Place, account_for
from tests.chaos.bad_input_checks import Outcome, check_counts, check_memory, check_store, check_topics
from tests.chaos.bad_input_process import Task, run_pipeline
from tests.chaos.corpus import Corpus, RawRecord
from tests.integration.topics import Topics
from tests.servers.kafka import running_kafka
from tests.servers.valkey import running_valkey

PARTITIONS = 4
MAX_MESSAGE_BYTES = 1_048_588  # the default of a broker
#: What the keys of readings begin with.
SENSORS = (b"pump", b"vane", b"meter")
_NO_LIMIT = str(2**63 - 1)
_FLUSH_EVERY = 20_000


@dataclass(frozen=True, slots=True)
class CorpusSize:
    """The number of records, and of sensors in memory. Equal seeds give equal records."""

    records: int = 1_000_000
    seed: int = 7
    max_sensors: int = 20_000


def run(brokers: str, redis_url: str, directory: Path, size: CorpusSize) -> Outcome:
    """Produce a corpus and a bomb, run a pipeline on it, and check the outcome. Needs a Redis that nobody else uses."""
    outcome = Outcome()
    topics = Topics(brokers, f"bad-input-{uuid.uuid4().hex[:8]}", PARTITIONS, start="earliest")
    try:
        settings = topics.settings
        _prepare(topics)
        produce(settings, Corpus(size.seed, PARTITIONS, MAX_MESSAGE_BYTES).records(size.records))
        bombs = _drop_bomb(topics)
        ends = topics.ends()
        redis = RedisSettings.model_validate({"url": redis_url})
        done = run_pipeline(Task(settings, redis, size.max_sensors, sum(ends.values()), directory / "pipeline.log"))
        outcome.figures["records"] = f"{sum(ends.values()):,} in {done.samples[-1].seconds:.0f} s, seed {size.seed}"
        account = account_for(settings, ends)
        outcome.check(topics.committed() == ends, f"committed {topics.committed()} of {ends}")
        check_counts(outcome, done, account, ends, bombs)
        check_topics(outcome, settings, account)
        check_memory(outcome, done, size.max_sensors)
        with closing(Redis.from_url(redis_url)) as client:
            check_store(outcome, client, settings, account, ends)
    finally:
        topics.close()
    return outcome


def _drop_bomb(topics: Topics) -> set[Place]:
    """Write a record whose compressed batch is small but too large to decompress; return its place."""
    settings, partition = topics.settings, 0
    value = bytes(MAXIMUM_UNCOMPRESSED_BYTES + 1_000_000)
    produce(settings, [RawRecord(partition, b"bomb", value)], codecs=("zstd",))
    return {(partition, topics.ends()[partition] - 1)}


class _Name(str):
    """A header name of arbitrary bytes, as other clients may send: the producer only calls its `encode`."""

    raw: bytes

    @classmethod
    def of(cls, raw: bytes) -> _Name:
        name = cls("name")
        name.raw = raw
        return name

    def encode(self, *_: str) -> bytes:
        return self.raw


def produce(
    settings: KafkaSettings, records: Iterable[RawRecord], codecs: tuple[str | None, ...] = (None, "zstd", "lz4")
) -> None:
    """Write records to the input topic: those of sensors in order, with one producer; the others with compression."""
    options = {"bootstrap_servers": settings.brokers, "max_request_size": 1 << 30, "linger_ms": 5, "batch_size": 65_536}
    producers: list[Any] = [KafkaProducer(**options, compression_type=codec) for codec in codecs]
    refused: list[object] = []
    for number, record in enumerate(records, start=1):
        is_of_a_sensor = (record.key or b"").startswith(SENSORS)
        headers = [(_Name.of(name), value) for name, value in record.headers]
        future = producers[0 if is_of_a_sensor else number % len(producers)].send(
            settings.input_topic, record.value, record.key, headers, record.partition, timestamp_ms=record.timestamp_ms
        )
        future.add_errback(refused.append)
        if number % _FLUSH_EVERY == 0:
            _flush(producers)
    _flush(producers)
    for producer in producers:
        producer.close()
    assert not refused, f"{len(refused)} records could not be written, for example: {refused[0]}"


def _flush(producers: list[Any]) -> None:
    for producer in producers:
        producer.flush()


def _prepare(topics: Topics) -> None:
    """Allow the broker's largest records, and any record time, in the input topic, and disable retention."""
    configuration = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "retention.ms": "-1",
        "segment.ms": _NO_LIMIT,
        "message.timestamp.after.max.ms": _NO_LIMIT,
    }
    topics.configure_input(configuration)


def main() -> int:
    """Run one round on its own servers and print the table; return the exit code, 1 if there are defects."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.bad_input", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="records of the corpus (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--max-sensors", type=int, default=20_000, help="sensors held in memory (default: %(default)s)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="stream-detector-bad-input-") as directory,
        running_kafka(Path(directory)) as kafka,
        running_valkey(Path(directory) / "valkey") as valkey,
    ):
        size = CorpusSize(options.records, options.seed, options.max_sensors)
        outcome = run(kafka.brokers, valkey.url, Path(directory), size)
    print(outcome.table())
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
