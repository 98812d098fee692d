"""Polling a Kafka consumer whose partitions are paused and resumed."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition


def poll(consumer: KafkaConsumer, timeout_ms: float, max_records: int | None = None) -> dict[TopicPartition, list[Any]]:
    """Poll as the client does, and let it give the records that it kept while their partition was paused.

    What is parsed of a paused partition is kept aside, and taken up again only when the client holds no other partition's
    records; but it goes on holding the last one's, when they are used up: a resumed partition would stay silent for good.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - the client offers no way to let go of what is used up
    if not fetcher._next_partition_records:  # noqa: SLF001
        fetcher._next_partition_records = None  # noqa: SLF001
    records: dict[TopicPartition, list[Any]] = consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
    return records
