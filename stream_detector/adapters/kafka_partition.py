"""What one fetch returned of a partition, as the client's fetcher holds it until it is read."""

# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel

from stream_detector.adapters.kafka_batches import V2, DeliverableBatches
from stream_detector.adapters.kafka_records import KafkaRecord


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client ships no types
    """The client's, made and asked by its fetcher; but the records are KafkaRecords, and not counted: metrics are off."""

    def _unpack_records(self, tp: TopicPartition, batches: DeliverableBatches, *_deserializers: None) -> Iterator[KafkaRecord]:
        """Give the records, none before it is asked for, and move to where the next fetch starts."""
        while (batch := batches.next_batch()) is not None:
            is_v2 = batch.magic >= V2
            if is_v2:
                self.leader_epoch = batch.leader_epoch
            if not (is_v2 and self._is_left_out(batch)):
                self.bytes_read += batch.size_in_bytes  # if any were, the client reads the other partitions first
                for record in batches.records(batch, tp):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            if is_v2:
                self.next_fetch_offset = batch.next_offset  # the last records may have been compacted away
        self.drain()

    def _is_left_out(self, batch: Any) -> bool:
        """Say whether a batch is a marker or of an aborted transaction; note which transactions are aborted where it is."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)
