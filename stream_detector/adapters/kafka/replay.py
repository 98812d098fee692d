"""Sends dead letters back to their topics exactly once: records and positions in one transaction.

Each reason has positions of its own, in a group that never has members, so that reasons can be sent back one after the other;
so have the letters of each topic, which settings name today and not tomorrow (with and without re-keying).
The transactional id is always the same: whoever opens it ends the transaction of a replay that was killed, and fences one that
still runs. Positions are read only after that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import reader_options
from stream_detector.adapters.kafka.producer import Deadline, TransactionalProducer
from stream_detector.readings import Message
from stream_detector.settings.kafka_settings import KafkaSettings

#: Of the dead letters that a position is of: their reason, and the topic in which the records were.
Origin = tuple[str, str]
#: By origin and partition of the dead-letter topic: where the next replay goes on.
Positions = dict[Origin, dict[int, int]]


def group_of(settings: KafkaSettings, origin: Origin) -> str:
    """Return the group that has the positions of the dead letters of one reason and topic."""
    reason, topic = origin
    of_reason = f"{settings.group_id}-replay-{reason}"
    return of_reason if topic == settings.input_topic else f"{of_reason}-{topic}"


def replayed(settings: KafkaSettings, origins: Iterable[Origin], partitions: Iterable[int]) -> Positions:
    """Return up to where the dead letters of each origin were sent back. Blocks, bounded; raises as `translate` says."""
    tps = [TopicPartition(settings.dead_letter_topic, partition) for partition in partitions]
    return {origin: _committed(settings, group_of(settings, origin), tps) for origin in origins}


def _committed(settings: KafkaSettings, group: str, tps: Sequence[TopicPartition]) -> dict[int, int]:
    """Read the committed positions; waits, bounded, until no open transaction may change them."""
    timeout_ms = 1000 * settings.request_timeout_seconds
    options = reader_options(settings) | {"group_id": group}
    with closing(open_client(KafkaConsumer, options)) as consumer:
        try:
            found = {tp.partition: consumer.committed(tp, timeout_ms=timeout_ms) for tp in tps}
        except KafkaError as error:
            raise translate(error, f"looking up the positions of group {group}") from error
    return {partition: int(position) for partition, position in found.items() if position is not None and position >= 0}


class Replay:
    """Writes batches of records with the positions after them. Every call is bounded. A context manager would hide errors."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Open the producer, and end what an earlier replay left open. Raises as `translate` says."""
        self._settings = settings
        self._id = f"{settings.group_id}-replay"
        try:
            self._producer = TransactionalProducer(settings, self._id)
        except KafkaError as error:
            raise translate(error, f"opening transactional producer {self._id}") from error

    def commit(self, messages: Sequence[Message], positions: Positions) -> None:
        """Write all messages and move all positions, or nothing of both."""
        producer, topic = self._producer, self._settings.dead_letter_topic
        deadline = Deadline(time.monotonic() + self._settings.transaction_timeout_seconds, "the transaction")
        try:
            producer.begin()
            futures = [producer.send(message) for message in messages]
            producer.await_sent(futures, deadline)
            for origin, of_partitions in positions.items():
                offsets: Mapping[TopicPartition, int] = {
                    TopicPartition(topic, partition): position for partition, position in of_partitions.items()
                }
                producer.send_positions_alone(offsets, group_of(self._settings, origin), deadline)
            producer.commit(deadline)
        except KafkaError as error:
            cause = producer.last_error() or error
            producer.kill()
            topics = " and ".join(sorted({message.topic for message in messages}))
            raise translate(cause, f"sending {len(messages)} records back to {topics or 'no topic'}") from error

    def close(self) -> None:
        """End the producer; an open transaction is aborted by the next replay, or by the brokers. Idempotent, bounded."""
        self._producer.kill()
