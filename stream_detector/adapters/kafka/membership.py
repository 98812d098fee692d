"""What the client knows of its membership of a consumer group, and what it leaves unsaid."""

# ruff: noqa: SLF001 - only the client's coordinator knows of joins, heartbeats and being fenced
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

import logging
import time
from typing import Any

from kafka import ConsumerGroupMetadata, ConsumerRebalanceListener, KafkaConsumer, TopicPartition

from stream_detector.adapters.kafka.errors import two_replicas
from stream_detector.errors import FencedError
from stream_detector.logs import OutageLog

logger = logging.getLogger(__name__)

#: When a join's answer is handed to the client once more: after it has begun to wait for it.
JOIN_ANSWER_SECONDS = 0.02


class Changes(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """Notes what was taken away, and keeps what was given from being read.

    Runs on the client's IO thread, inside a poll: everything that asks a broker would raise here, and whatever takes
    long would cost the membership.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._taken: set[int] = set()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause what is new. The position is a placeholder: without one the client would look for its own."""
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Note what was taken."""
        self._taken.update(partition.partition for partition in revoked)

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """Note what was taken, without our consent."""
        self.on_partitions_revoked(lost)

    def take(self) -> set[int]:
        """Return what was taken since the last call."""
        taken, self._taken = self._taken, set()
        return taken


class _Heartbeats:
    """Whether the brokers still know a member: those that have not heard of it for the session time-out do not."""

    def __init__(self, coordinator: Any, session_seconds: float) -> None:
        self._coordinator = coordinator
        self._session_seconds = session_seconds
        self._member: object = None
        self._heard_at = 0.0
        self._outage = OutageLog(logger, time.monotonic, "Kafka answers again")

    def are_answered(self, member: object) -> bool:
        """Say whether one was answered of late, by the member with this proof of membership."""
        now = time.monotonic()
        if member != self._member or not self._coordinator.stable():  # a rebalance has no heartbeats
            self._member, self._heard_at = member, now
        self._heard_at = max(self._heard_at, self._coordinator.heartbeat.last_receive)
        if now - self._heard_at > self._session_seconds:
            said = "Kafka has not answered for %g s, and so has given this replica's partitions away; it is waited for"
            self._outage.failed(said, self._session_seconds)
            return False
        self._outage.ended()
        return True


class GroupMember:
    """A consumer as a member of its group, looked at between polls."""

    def __init__(self, consumer: KafkaConsumer, instance_id: str | None, session_seconds: float) -> None:
        self._consumer = consumer
        self._coordinator = consumer._coordinator
        self._instance_id = instance_id
        self._heartbeats = _Heartbeats(self._coordinator, session_seconds)
        self._last: ConsumerGroupMetadata | None = None

    def take_up_join(self) -> float:
        """Take up a join that earlier polls had no time to finish; return for how long this poll must at least last.

        The client forgets it in two ways. A leader that joins again because of new partitions thinks it is done as soon as
        it has assigned them: nobody applies the answer, and with its heartbeats off the member dies. And an answer that
        comes between two polls is thrown away for a new join, which, of a leader, is a new rebalance of the whole group.
        """
        coordinator = self._coordinator
        if not coordinator.rejoining:
            return 0.0
        coordinator.request_rejoin()
        answered = coordinator._join_task
        if answered is not None and answered.is_done and answered.succeeded():
            net = self._consumer._net

            async def answer_again() -> object:
                await net.sleep(JOIN_ANSWER_SECONDS)
                return answered.value

            coordinator._join_task = net.call_soon_with_future(answer_again)
        return 3 * JOIN_ANSWER_SECONDS

    def proof(self) -> ConsumerGroupMetadata | None:
        """Take the proof of membership; None when there is none the broker would check.

        A commit with generation -1 and no member id is accepted by the broker over a live member's.
        """
        coordinator = self._coordinator
        if self._instance_id is not None and coordinator.stable() and not coordinator._heartbeat_enabled:
            # Being fenced is told to nobody; it only stops the heartbeats.
            raise FencedError(two_replicas(self._instance_id))
        if not coordinator.stable() and not self._consumer.assignment():
            return None  # it has joined, but was not told its partitions yet
        metadata = self._consumer.group_metadata()
        if metadata.generation_id < 0 or not metadata.member_id:
            return None
        return metadata if self._heartbeats.are_answered(metadata) else None

    def has_missed_a_generation(self, membership: ConsumerGroupMetadata | None) -> bool:
        """Say whether the group has had a generation without this member since the last proof was looked at.

        A member that hears of its eviction only while it joins again is told nothing when it gets the same partitions back,
        although another member may have read on in them meanwhile.
        """
        if membership is None:
            return False
        before, self._last = self._last, membership
        if before is None:
            return False
        return membership.member_id != before.member_id or membership.generation_id - before.generation_id not in (0, 1)
