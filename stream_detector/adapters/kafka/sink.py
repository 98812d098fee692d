"""Writes events, dead letters and committed positions to Kafka in one transaction. Implements ports.Sink."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import kafka.errors as kafka_errors
from kafka import TopicPartition

from stream_detector.adapters.kafka.errors import PERMANENT, advice, explain, translate
from stream_detector.adapters.kafka.producer import Deadline, TransactionalProducer
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.errors import CommitFailedError, MembershipLostError, PermanentDeliveryError, RetriableError
from stream_detector.ports import NO_NOTES
from stream_detector.readings import Membership, Message
from stream_detector.settings.kafka_settings import KafkaSettings


class KafkaSink:
    """ports.Sink on Kafka. Not thread-safe: one thread uses it."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Open the producer. Blocks, bounded; raises RetriableError when no broker answers."""
        self._settings = settings
        # A named replica has the same ID at every start, and so ends the transaction that its last run left open.
        self._transactional_id = f"{settings.group_id}-{settings.instance_id or secrets.token_hex(8)}"
        self._producer: TransactionalProducer | None = None
        self._open()

    def commit(
        self,
        messages: Sequence[Message],
        positions: Mapping[int, int],
        membership: Membership,
        notes: Mapping[int, str] = NO_NOTES,
    ) -> None:
        """See ports.Sink."""
        producer = self._producer
        if producer is None:
            msg = "the sink must be reset after a failed commit"
            raise CommitFailedError(msg)
        offsets = {TopicPartition(self._settings.input_topic, p): position for p, position in positions.items()}
        deadline = Deadline(time.monotonic() + self._settings.transaction_timeout_seconds, "the transaction")
        futures: list[Any] = []
        self._producer = None  # unless the commit succeeds, this producer must not be used again
        try:
            # 1. Send; 2. await every acknowledgement; 3. add the positions, if still a member; 4. commit.
            producer.begin()
            self._send(producer, messages, futures)
            producer.await_sent(futures, deadline)
            producer.send_positions(offsets, membership, deadline, notes)
            producer.commit(deadline)
        except kafka_errors.KafkaError as error:
            cause = producer.last_error() or error
            producer.kill()
            raise _failure(futures, messages) or self._failed(cause, membership) from error
        except BaseException:
            producer.kill()
            raise
        self._producer = producer

    def reset(self) -> None:
        """See ports.Sink."""
        self.close()
        try:
            self._open()
        except RetriableError as error:
            raise CommitFailedError(str(error)) from error

    def close(self) -> None:
        """See ports.Sink."""
        if self._producer is not None:
            self._producer.kill()
            self._producer = None

    def _open(self) -> None:
        try:
            self._producer = TransactionalProducer(self._settings, self._transactional_id)
        except kafka_errors.KafkaError as error:
            raise translate(error, f"opening transactional producer {self._transactional_id}") from error

    def _send(self, producer: TransactionalProducer, messages: Sequence[Message], futures: list[Any]) -> None:
        """Send all messages. Raises a PermanentDeliveryError that names a message that can never be sent."""
        for message in messages:
            try:
                futures.append(producer.send(message))
            except kafka_errors.MessageSizeTooLargeError as error:
                raise _refused(message, error) from error
            except kafka_errors.KafkaTimeoutError:
                if self._is_missing(message.topic):
                    msg = f"topic {message.topic} does not exist; create it"
                    raise PermanentDeliveryError(msg) from None
                raise

    def _is_missing(self, topic: str) -> bool:
        """Return whether a topic does not exist: the client's time-out does not tell this from silent brokers."""
        try:
            with KafkaTopics(self._settings) as topics:
                return topics.describe(topic) is None
        except RetriableError:
            return False

    def _failed(self, error: Exception, membership: Membership) -> Exception:
        """Return our error for a failed transaction."""
        instance_id = getattr(membership, "group_instance_id", None)
        translated = translate(error, f"transaction of {self._transactional_id}", instance_id)
        if not isinstance(translated, RetriableError):
            return translated
        refused_member = isinstance(error, kafka_errors.CommitFailedError)
        return MembershipLostError(str(translated)) if refused_member else CommitFailedError(str(translated))


def _failure(futures: Sequence[Any], messages: Sequence[Message]) -> PermanentDeliveryError | None:
    """Return our error for a record that the brokers refuse permanently, if there is one."""
    refused = [
        (_size(message), message, future.exception)
        for future, message in zip(futures, messages, strict=False)
        if future.failed() and isinstance(future.exception, PERMANENT)
    ]
    if not refused:
        return None
    # The client fails the rest of the transaction with the same error: the largest record is the likely cause.
    _, message, reason = max(refused, key=lambda entry: entry[0])
    return _refused(message, reason)


def _size(message: Message) -> int:
    """Return a record's size in bytes, without the framing."""
    headers = sum(len(name.encode()) + len(content or b"") for name, content in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def _refused(message: Message, error: Exception) -> PermanentDeliveryError:
    """Return the error that names the record that cannot be delivered, and what to do."""
    return PermanentDeliveryError(
        f"topic {message.topic} refuses a record of {_size(message)} bytes: {explain(error)}{advice(error)}"
    )
