"""Events, dead letters and committed positions, written to Kafka in one transaction.

TransactionalProducer owns every guard against what the client's transactional producer does wrong (docs: each guard has its
test); KafkaSink says in our errors how a transaction ended. A failed producer is never used again: offsets of its aborted
transaction would leak into the next one.
"""

# ruff: noqa: SLF001 - the client's blocking calls have no time-out, and its close() leaves a thread: only its parts can be bounded

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kafka.errors as kafka_errors
from kafka import ConsumerGroupMetadata, KafkaProducer, OffsetAndMetadata, TopicPartition

from stream_detector.adapters.kafka.errors import PERMANENT, advice, explain, translate
from stream_detector.adapters.kafka.options import open_client, producer_options
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.errors import CommitFailedError, MembershipLostError, PermanentDeliveryError, RetriableError
from stream_detector.readings import Membership, Message
from stream_detector.settings.schema import KafkaSettings

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Deadline:
    """The moment by which a transaction must have ended."""

    at: float  # of time.monotonic()
    what: str

    def left_seconds(self) -> float:
        """Return the seconds that are left, at least zero."""
        return max(0.0, self.at - time.monotonic())

    def missed(self) -> kafka_errors.KafkaTimeoutError:
        """Return the error for having passed it."""
        return kafka_errors.KafkaTimeoutError(f"{self.what} took too long")


class TransactionalProducer:
    """The client's producer, for one transaction at a time, each bounded in time. Raises the client's errors.

    After any error, or a time-out, the only thing to do with it is `kill`.
    """

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        self._timeout_seconds = settings.request_timeout_seconds
        self._producer: KafkaProducer = open_client(KafkaProducer, producer_options(settings, transactional_id))
        try:
            # Fences whoever used the id before and ends what they left open. Bounded by max_block_ms.
            self._producer.init_transactions()
        except BaseException:
            self.kill()
            raise

    def begin(self) -> None:
        """Start a transaction; the brokers hear of it with the first record."""
        self._producer.begin_transaction()

    def send(self, message: Message) -> Any:  # noqa: ANN401 - the client's future
        """Hand over a record; its fate is in the future that is returned. Blocks only for the metadata of a new topic."""
        value = message.value
        if value is None and message.key is None:
            value = b""  # the client takes no record without both
        headers = [(name, b"" if content is None else content) for name, content in message.headers]
        return self._producer.send(message.topic, value=value, key=message.key, headers=headers)

    def await_sent(self, futures: Sequence[Any], deadline: Deadline) -> None:
        """Return when the brokers have every record.

        Each future is asked: the client would commit a transaction one of whose batches had expired.
        """
        for future in futures:
            future.get(timeout=deadline.left_seconds())

    def send_positions(self, positions: Mapping[TopicPartition, int], membership: Membership, deadline: Deadline) -> None:
        """Add the group's positions to the transaction, under the membership with which they were read."""
        if not isinstance(membership, ConsumerGroupMetadata) or membership.generation_id < 0 or not membership.member_id:
            # The broker takes a commit without generation and member, over the positions of a live member.
            raise kafka_errors.CommitFailedError("not a member of the group")
        offsets = {partition: OffsetAndMetadata(position, "", -1) for partition, position in positions.items()}
        self._bounded(self._producer._transaction_manager.send_offsets_to_transaction(offsets, membership), deadline)

    def commit(self, deadline: Deadline) -> None:
        """Commit. After a time-out the outcome is unknown."""
        self._bounded(self._producer._transaction_manager.begin_commit(), deadline)

    def last_error(self) -> Exception | None:
        """Return what put the producer into its error state: calls after it only say that there was something."""
        error = self._producer._transaction_manager.last_error
        return error if isinstance(error, Exception) else None

    def kill(self) -> None:
        """End the producer and its thread, without waiting for requests. Idempotent, bounded.

        The client's close(timeout) raises when requests are open, and leaves its thread running.
        """
        sender = self._producer._sender
        sender.force_close()
        sender.join(self._timeout_seconds)
        if sender.is_alive():
            logger.warning("the producer's thread still waits for a broker; it is fenced by the next producer")
        else:
            self._producer.close(timeout=0)

    def _bounded(self, result: Any, deadline: Deadline) -> None:  # noqa: ANN401 - the client's result
        """Wait for a request to the transaction's coordinator: the client would wait without end."""
        self._producer._sender.wakeup()
        if not result.wait(timeout_ms=deadline.left_seconds() * 1000):
            raise deadline.missed()


class KafkaSink:
    """ports.Sink on Kafka. Not thread-safe: one thread uses it."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Open the producer. Blocks, bounded; raises RetriableError when no broker answers."""
        self._settings = settings
        # Stable for a named replica, so that its next start ends what the last one left open.
        self._transactional_id = f"{settings.group_id}-{settings.instance_id or secrets.token_hex(8)}"
        self._producer: TransactionalProducer | None = None
        self._open()

    def commit(self, messages: Sequence[Message], positions: Mapping[int, int], membership: Membership) -> None:
        """See ports.Sink."""
        producer = self._producer
        if producer is None:
            msg = "the sink must be reset after a failed commit"
            raise CommitFailedError(msg)
        offsets = {TopicPartition(self._settings.input_topic, p): position for p, position in positions.items()}
        deadline = Deadline(time.monotonic() + self._settings.transaction_timeout_seconds, "the transaction")
        futures: list[Any] = []
        self._producer = None  # whatever happens from here on but success, this producer is spent
        try:
            # 1. Send; 2. have every record acknowledged; 3. add the positions, if we are still a member; 4. commit.
            producer.begin()
            self._send(producer, messages, futures)
            producer.await_sent(futures, deadline)
            producer.send_positions(offsets, membership, deadline)
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

    # -- inside

    def _open(self) -> None:
        try:
            self._producer = TransactionalProducer(self._settings, self._transactional_id)
        except kafka_errors.KafkaError as error:
            raise translate(error, f"opening transactional producer {self._transactional_id}") from error

    def _send(self, producer: TransactionalProducer, messages: Sequence[Message], futures: list[Any]) -> None:
        """Hand over all messages; name the one that can never be sent."""
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
        """Tell a topic that does not exist from brokers that do not answer: the client waits for both alike."""
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
    """Return our error for a record that the brokers refuse for good, if there is one."""
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
    """Return a record's bytes without the framing."""
    headers = sum(len(name.encode()) + len(content or b"") for name, content in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def _refused(message: Message, error: Exception) -> PermanentDeliveryError:
    """Say which record cannot be delivered, and what to do."""
    return PermanentDeliveryError(
        f"topic {message.topic} refuses a record of {_size(message)} bytes: {explain(error)}{advice(error)}"
    )
