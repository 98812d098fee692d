"""Bounds the transactional calls of a Kafka producer, and ends its thread.

Defects: commit_transaction() and send_offsets_to_transaction() wait until the coordinator answers, and the request is lost
when its connection drops. Calls after an error do not name the error. close(timeout) raises while requests are open, and
leaves its thread running. Seen in kafka-python 3.0.12; no upstream issue found for its transactional calls (for blocking
consumer calls: https://github.com/dpkp/kafka-python/issues/3121).
"""

# ruff: noqa: SLF001 - the client has no public way to do this
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import ConsumerGroupMetadata, KafkaProducer, OffsetAndMetadata, TopicPartition


def send_offsets(
    producer: KafkaProducer,
    offsets: Mapping[TopicPartition, OffsetAndMetadata],
    membership: ConsumerGroupMetadata,
    timeout_ms: float,
) -> bool:
    """Add a group's offsets to the transaction; return whether the coordinator answered in time. Raises KafkaError."""
    return await_answer(producer, producer._transaction_manager.send_offsets_to_transaction(offsets, membership), timeout_ms)


def commit(producer: KafkaProducer, timeout_ms: float) -> bool:
    """Commit the transaction; return whether the coordinator answered in time. Raises KafkaError."""
    return await_answer(producer, producer._transaction_manager.begin_commit(), timeout_ms)


def last_error(producer: KafkaProducer) -> Exception | None:
    """Return the error that put the producer into its error state."""
    error = producer._transaction_manager.last_error
    return error if isinstance(error, Exception) else None


def kill(producer: KafkaProducer, timeout_seconds: float) -> bool:
    """Stop the producer's thread without waiting for requests; return whether it ended in time. Idempotent."""
    sender = producer._sender
    sender.force_close()
    sender.join(timeout_seconds)
    if sender.is_alive():
        return False
    producer.close(timeout=0)
    return True


def await_answer(producer: KafkaProducer, result: Any, timeout_ms: float) -> bool:
    """Send the request of a result and wait for it; return whether the coordinator answered in time. Raises KafkaError."""
    producer._sender.wakeup()
    return bool(result.wait(timeout_ms=timeout_ms))
