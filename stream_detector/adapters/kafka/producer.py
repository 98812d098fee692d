"""Wraps Kafka's transactional producer so that every step of a transaction is bounded in time.

client_patches/bounded_producer.py explains the workarounds; each has a test. A failed producer is never used again: the
offsets of its aborted transaction would leak into the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kafka.errors as kafka_errors
from kafka import ConsumerGroupMetadata, KafkaProducer, OffsetAndMetadata, TopicPartition

from stream_detector.adapters.kafka.client_patches import bounded_producer
from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.options import producer_options
from stream_detector.ports import NO_NOTES
from stream_detector.readings import Membership, Message
from stream_detector.settings.kafka_settings import KafkaSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which a transaction must have ended."""

    at: float  # of time.monotonic()
    operation: str

    def left_seconds(self) -> float:
        """Return the seconds that are left, at least zero."""
        return max(0.0, self.at - time.monotonic())

    def missed(self) -> kafka_errors.KafkaTimeoutError:
        """Return the error for missing the deadline."""
        return kafka_errors.KafkaTimeoutError(f"{self.operation} took too long")


class TransactionalProducer:
    """The client's producer, for one transaction at a time. Raises the client's errors.

    After any error or time-out, the only useful call is `kill`.
    """

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        self._timeout_seconds = settings.request_timeout_seconds
        self._producer: KafkaProducer = open_client(KafkaProducer, producer_options(settings, transactional_id))
        try:
            # Fences the previous user of the ID and aborts its open transaction. Bounded by max_block_ms.
            self._producer.init_transactions()
        except BaseException:
            self.kill()
            raise

    def begin(self) -> None:
        """Start a transaction; the brokers learn of it with the first record."""
        self._producer.begin_transaction()

    def send(self, message: Message) -> Any:  # noqa: ANN401 - the client's future
        """Send a record; return the future of its acknowledgement. Blocks only for the metadata of a new topic."""
        value = message.value
        if value is None and message.key is None:
            value = b""  # the client refuses a record with neither
        headers = [(name, b"" if content is None else content) for name, content in message.headers]
        return self._producer.send(
            message.topic,
            value=value,
            key=message.key,
            headers=headers,
            timestamp_ms=message.timestamp_ms,
            partition=message.partition,
        )

    def await_sent(self, futures: Sequence[Any], deadline: Deadline) -> None:
        """Wait until the brokers have acknowledged every record.

        Checks each future, because the client would commit a transaction even if one of its batches had expired.
        """
        for future in futures:
            future.get(timeout=deadline.left_seconds())

    def send_positions(
        self,
        positions: Mapping[TopicPartition, int],
        membership: Membership,
        deadline: Deadline,
        notes: Mapping[int, str] = NO_NOTES,
    ) -> None:
        """Add the group's positions, with notes by partition, under the membership with which they were read."""
        if not isinstance(membership, ConsumerGroupMetadata) or membership.generation_id < 0 or not membership.member_id:
            # Without generation and member ID, the broker would let the commit overwrite a live member's positions.
            raise kafka_errors.CommitFailedError("not a member of the group")
        self._send_positions(positions, membership, deadline, notes)

    def send_positions_alone(self, positions: Mapping[TopicPartition, int], group: str, deadline: Deadline) -> None:
        """Add the positions of a group that never has members: only this producer's id writes them, and so fences others."""
        self._send_positions(positions, ConsumerGroupMetadata(group, -1, "", None), deadline, NO_NOTES)

    def _send_positions(
        self,
        positions: Mapping[TopicPartition, int],
        membership: ConsumerGroupMetadata,
        deadline: Deadline,
        notes: Mapping[int, str],
    ) -> None:
        offsets = {
            partition: OffsetAndMetadata(position, notes.get(partition.partition, ""), -1)
            for partition, position in positions.items()
        }
        if not bounded_producer.send_offsets(self._producer, offsets, membership, deadline.left_seconds() * 1000):
            raise deadline.missed()

    def commit(self, deadline: Deadline) -> None:
        """Commit. After a time-out the outcome is unknown."""
        if not bounded_producer.commit(self._producer, deadline.left_seconds() * 1000):
            raise deadline.missed()

    def last_error(self) -> Exception | None:
        """Return the first error of a failed transaction; later calls raise only that there was one."""
        return bounded_producer.last_error(self._producer)

    def kill(self) -> None:
        """End the producer and its thread, without waiting for requests. Idempotent, bounded."""
        if not bounded_producer.kill(self._producer, self._timeout_seconds):
            logger.warning("the producer's thread still waits for a broker; the next producer fences it")
