"""An unkeyed topic on a real Kafka, and the processes that re-key it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings

STOP_SECONDS = 60.0


def produce_unkeyed(brokers: str, topic: str, records: Iterable[tuple[int, bytes, int]]) -> None:
    """Append (partition, value, timestamp) records without a key."""
    with closing(KafkaProducer(bootstrap_servers=brokers, linger_ms=5)) as producer:
        futures = [
            producer.send(topic, value, partition=partition, timestamp_ms=timestamp) for partition, value, timestamp in records
        ]
        producer.flush(timeout=STOP_SECONDS)
        for future in futures:
            future.get(timeout=0)


def read_all(brokers: str, topic: str) -> list[Any]:
    """Return the committed records of a topic, each partition in order."""
    with closing(
        KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, isolation_level="read_committed")
    ) as consumer:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[Any]] = defaultdict(list)
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for tp, records in consumer.poll(timeout_ms=200).items():
                found[tp] += records
    return [record for tp in partitions for record in found[tp]]


def rekey_environment(kafka: KafkaSettings, **settings: object) -> dict[str, str]:
    """Return the environment of the command, without the settings of this machine."""
    mine = {f"KAFKA__{name.upper()}": value for name, value in kafka.model_dump(exclude_defaults=True).items()} | settings
    mine |= {"KAFKA__SASL_PASSWORD": kafka.sasl_password.get_secret_value()} if kafka.sasl_password else {}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | {PREFIX + name: str(value) for name, value in mine.items()}


def rekey(environ: Mapping[str, str], log: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `stream-detector rekey`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "stream_detector", "rekey", *options], env=dict(environ), stdout=file, stderr=file
        )


def rekeyer_of(process: subprocess.Popen[bytes]) -> int:
    """Return the process id of the child that re-keys."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children():
            if "rekey" in child.cmdline():
                return int(child.pid)
    msg = "there is no process that re-keys"
    raise AssertionError(msg)
