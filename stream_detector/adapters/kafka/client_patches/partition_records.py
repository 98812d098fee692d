"""The records that one fetch returned from a partition, as the client's fetcher holds them until they are read.

Defects: the client's own class unpacks records several times slower than record_parser.py, raises on damage, and raises on a
transaction marker whose record was compacted away. Seen in kafka-python 3.0.12; no upstream issue found.
"""

# ruff: noqa: SLF001 - the client has no public way to do this
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import dropwhile
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel

from stream_detector.adapters.kafka.client_patches.damaged_batches import V2, DeliverableBatches
from stream_detector.adapters.kafka.client_patches.record_parser import KafkaRecord, unpacked

#: The type of a marker that aborts a transaction.
_ABORT = b"\0\0"


def partition_records(fetch_offset: int, tp: TopicPartition, batches: DeliverableBatches, **options: Any) -> Any:
    """Return the client's object for its fetcher. It yields KafkaRecords and counts none of them: metrics are off."""
    held = Fetcher.PartitionRecords(fetch_offset, tp, batches, **options)
    held.record_iterator = dropwhile(lambda record: record.offset < fetch_offset, _records(held, tp, batches))
    return held


def _records(held: Any, tp: TopicPartition, batches: DeliverableBatches) -> Iterator[KafkaRecord]:
    """Yield the records, unpacked on demand, and keep the start of the next fetch up to date."""
    while (batch := batches.next_batch()) is not None:
        is_v2 = batch.magic >= V2
        if is_v2:
            held.leader_epoch = batch.leader_epoch
        if not (is_v2 and _is_left_out(held, batch, tp)):
            held.bytes_read += batch.size_in_bytes  # if this is not 0, the client reads the other partitions first
            for record in batches.records(batch, tp):
                held.next_fetch_offset = record.offset + 1
                yield record
    held.next_fetch_offset = batches.position  # the last records may have been compacted away, or skipped
    held.drain()


def _is_left_out(held: Any, batch: Any, tp: TopicPartition) -> bool:
    """Return whether a batch is a marker or aborted; update the transactions that are aborted at its offsets."""
    if held.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
        held._consume_aborted_transactions_up_to(batch.last_offset)
        if batch.is_control_batch and _is_abort(batch, tp):
            held.aborted_producer_ids.discard(batch.producer_id)
        elif held._is_batch_aborted(batch):
            return True
    return bool(batch.is_control_batch)


def _is_abort(batch: Any, tp: TopicPartition) -> bool:
    """Return whether a marker ends an aborted transaction. One whose record was compacted away does not."""
    with suppress(CorruptRecordError):
        for record in unpacked(batch, tp):
            return record.key is not None and record.key[2:4] == _ABORT  # after its version
    return False
