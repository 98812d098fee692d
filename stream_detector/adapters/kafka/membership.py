"""Tracks a consumer's membership of its group: revoked partitions, and the proof that a commit needs."""

from __future__ import annotations

import logging
import time

from kafka import ConsumerGroupMetadata, ConsumerRebalanceListener, KafkaConsumer, TopicPartition

from stream_detector.adapters.kafka.client_patches.group_coordinator import GroupCoordinator
from stream_detector.adapters.kafka.errors import two_replicas
from stream_detector.errors import FencedError
from stream_detector.logs import OutageLog

logger = logging.getLogger(__name__)


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """Records revoked partitions, and pauses assigned ones.

    Runs on the client's IO thread, inside a poll: a request to a broker would raise here, and a slow operation would cost the
    membership.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._revoked: set[int] = set()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause new partitions. The position is a placeholder: without one the client would look for its own."""
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Record revoked partitions."""
        self._revoked.update(partition.partition for partition in revoked)

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """Record partitions that were revoked without this member's consent."""
        self.on_partitions_revoked(lost)

    def take_revoked(self) -> set[int]:
        """Return the partitions revoked since the last call."""
        revoked, self._revoked = self._revoked, set()
        return revoked


class _Heartbeats:
    """Tells whether the brokers still know a member: they forget it after the session time-out without a heartbeat."""

    def __init__(self, coordinator: GroupCoordinator, session_seconds: float) -> None:
        self._coordinator = coordinator
        self._session_seconds = session_seconds
        self._member: object = None
        self._heard_at = 0.0
        self._outage = OutageLog(logger, time.monotonic, "Kafka answers again")

    def are_answered(self, member: object) -> bool:
        """Return whether the brokers answered the member with this proof of membership within the session time-out."""
        now = time.monotonic()
        if member != self._member or not self._coordinator.is_stable():  # a rebalance has no heartbeats
            self._member, self._heard_at = member, now
        self._heard_at = max(self._heard_at, self._coordinator.last_heartbeat())
        if now - self._heard_at > self._session_seconds:
            message = "Kafka has not answered for %g s, so this replica has lost its partitions; it waits for Kafka"
            self._outage.failed(message, self._session_seconds)
            return False
        self._outage.ended()
        return True


class GroupMember:
    """A consumer as a member of its group, examined between polls."""

    def __init__(self, consumer: KafkaConsumer, instance_id: str | None, session_seconds: float) -> None:
        self._consumer = consumer
        self._coordinator = GroupCoordinator(consumer)
        self._instance_id = instance_id
        self._heartbeats = _Heartbeats(self._coordinator, session_seconds)
        self._last: ConsumerGroupMetadata | None = None

    def resume_pending_join(self) -> float:
        """Resume an unfinished join; return the seconds that the next poll must last at least."""
        return self._coordinator.resume_pending_join()

    def proof(self) -> ConsumerGroupMetadata | None:
        """Return the proof of membership; None if there is none that the broker would check. Raises FencedError.

        With generation -1 and no member ID, the broker would let a commit overwrite that of a live member.
        """
        coordinator = self._coordinator
        if self._instance_id is not None and coordinator.is_stable() and not coordinator.has_heartbeats():
            raise FencedError(two_replicas(self._instance_id))
        if not coordinator.is_stable() and not self._consumer.assignment():
            return None  # it has joined, but does not know its partitions yet
        metadata = self._consumer.group_metadata()
        if metadata.generation_id < 0 or not metadata.member_id:
            return None
        return metadata if self._heartbeats.are_answered(metadata) else None

    def has_missed_a_generation(self, membership: ConsumerGroupMetadata | None) -> bool:
        """Return whether the group has had a generation without this member since the last proof.

        A member that learns of its eviction only while it rejoins is not notified if it gets the same partitions back,
        although another member may have read further in them meanwhile.
        """
        if membership is None:
            return False
        before, self._last = self._last, membership
        if before is None:
            return False
        return membership.member_id != before.member_id or membership.generation_id - before.generation_id not in (0, 1)
