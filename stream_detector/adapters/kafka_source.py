"""The input topic, read from Kafka as a member of a consumer group.

Batches chain by position: a chunk starts where the one before it ended, and ends at the client's position after the poll,
so markers and compacted records, which no poll returns, leave no gap. Nothing here decides where to start: a partition that
was assigned, or whose position fell out of the log, is reported and stays paused until the pipeline seeks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from stream_detector.adapters.kafka_errors import translate, two_replicas
from stream_detector.adapters.kafka_fetching import Fetching
from stream_detector.adapters.kafka_options import consumer_options, open_client
from stream_detector.adapters.kafka_reader import KafkaReader
from stream_detector.adapters.kafka_topics import KafkaTopics, TopicDescription
from stream_detector.errors import FencedError, RetriableError
from stream_detector.outages import Outage
from stream_detector.ports import Chunk, Polled
from stream_detector.readings import Membership
from stream_detector.settings import KafkaSettings

logger = logging.getLogger(__name__)

#: Longest wait for leaving the group: during a rebalance the brokers answer only after it, and an orderly stop cannot wait.
CLOSE_SECONDS = 3.0
#: When a join's answer is handed to the client once more: after it has begun to wait for it.
JOIN_ANSWER_SECONDS = 0.02


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
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

    def __init__(self, coordinator: Any, session_seconds: float) -> None:  # noqa: ANN401 - the client ships no types
        self._coordinator = coordinator
        self._session_seconds = session_seconds
        self._member: object = None
        self._heard_at = 0.0
        self._outage = Outage(logger, time.monotonic, "Kafka answers again")

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


class KafkaSource:
    """ports.Source on Kafka. Not thread-safe: one thread uses it."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.input_topic
        self._timeout_ms = settings.request_timeout_seconds * 1000
        self._consumer: KafkaConsumer = open_client(KafkaConsumer, consumer_options(settings))
        self._fetching = Fetching(self._consumer)
        self._changes = _Changes(self._consumer)
        self._consumer.subscribe([self._topic], listener=self._changes)
        self._heartbeats = _Heartbeats(self._consumer._coordinator, settings.session_timeout_seconds)  # noqa: SLF001
        self._held: frozenset[int] = frozenset()  # as reported to the pipeline
        self._next: dict[int, int] = {}  # where the next chunk of a partition starts
        self._member: Membership | None = None  # the last one that was taken
        self._topics: KafkaTopics | None = None
        self._reader: KafkaReader | None = None
        self._closed = False
        self._learn_partitions()

    def poll(self, timeout_seconds: float) -> Polled:
        """See ports.Source."""
        records: dict[TopicPartition, list[Any]] = {}
        out_of_range: frozenset[int] = frozenset()
        least_seconds = self._take_up_join()
        try:
            records = self._fetching.poll(max(timeout_seconds, least_seconds) * 1000)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            out_of_range = self._drop(error)
        except KafkaError as error:
            raise self._translated(error, "reading") from error
        # The order matters: metadata taken after the assignment could belong to a later generation than the records.
        membership = self._membership()
        revoked, assigned = self._follow_assignment(out_of_range | self._perhaps_given_away(membership))
        return Polled(self._chunks(records), membership, revoked, assigned, self._fetching.take_lost())

    def committed(self, partition: int) -> int | None:
        """See ports.Source."""
        # The client keeps a question that nobody waited for any more, and would give its answer however old.
        self._consumer._coordinator._offset_fetch_futures.clear()  # noqa: SLF001
        try:
            # The consumer is read_committed, so the broker is asked for an offset that no open transaction may change.
            position = self._consumer.committed(self._of(partition), timeout_ms=self._timeout_ms)
        except KafkaError as error:
            raise self._translated(error, f"looking up the committed position of partition {partition}") from error
        return None if position is None or position < 0 else int(position)

    def partitions(self) -> frozenset[int]:
        """See ports.Source."""
        return frozenset(self._description().partitions)

    def bounds(self, partition: int) -> tuple[int, int]:
        """See ports.Source."""
        return self._reading().bounds(partition)

    def position_at(self, partition: int, time_ms: int) -> int:
        """See ports.Source."""
        return self._reading().position_at(partition, time_ms)

    def topic_id(self) -> str:
        """See ports.Source."""
        return self._description().topic_id

    def seek(self, partition: int, position: int) -> None:
        """See ports.Source. A partition that was taken away meanwhile is left alone: the next poll reports it."""
        if self._of(partition) in self._consumer.assignment():
            self._consumer.seek(self._of(partition), position)
            self._consumer.resume(self._of(partition))
            self._next[partition] = position

    def pause(self, partitions: Sequence[int]) -> None:
        """See ports.Source."""
        assignment = self._consumer.assignment()
        self._consumer.pause(*(tp for tp in map(self._of, partitions) if tp in assignment))

    def resume(self, partitions: Sequence[int]) -> None:
        """See ports.Source. A partition that waits for a `seek` stays paused."""
        assignment = self._consumer.assignment()
        self._consumer.resume(*(self._of(p) for p in partitions if p in self._next and self._of(p) in assignment))

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """See ports.Source."""
        return self._reading().read(partition, start, stop, max_records)

    def close(self) -> None:
        """See ports.Source."""
        if self._closed:
            return
        self._closed = True
        try:
            self._consumer.close(autocommit=False, timeout_ms=min(self._timeout_ms, CLOSE_SECONDS * 1000))
        except KafkaError as error:
            logger.warning("leaving the group failed; it will notice by the session time-out: %s", error)
        for part in (self._reader, self._topics):
            if part is not None:
                part.close()

    # -- inside

    def _learn_partitions(self) -> None:
        """Ask for the topic's partitions before the group is joined.

        Who deals them out without knowing them gives nobody any: all are members, seem ready, and have no partition yet.
        """
        consumer = self._consumer
        update = consumer._cluster.request_update()  # noqa: SLF001 - partitions_for_topic() waits without a bound
        try:
            consumer._net.run(consumer._manager.wait_for, update, self._timeout_ms)  # noqa: SLF001
        except KafkaError as error:
            self.close()
            raise self._translated(error, "looking up the partitions") from error

    def _take_up_join(self) -> float:
        """Take up a join that earlier polls had no time to finish; return for how long this poll must at least last.

        The client forgets it in two ways. A leader that joins again because of new partitions thinks it is done as soon as
        it has assigned them: nobody applies the answer, and with its heartbeats off the member dies. And an answer that
        comes between two polls is thrown away for a new join, which, of a leader, is a new rebalance of the whole group.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - only the coordinator knows
        if not coordinator.rejoining:
            return 0.0
        coordinator.request_rejoin()
        answered = coordinator._join_task  # noqa: SLF001
        if answered is not None and answered.is_done and answered.succeeded():
            net = self._consumer._net  # noqa: SLF001

            async def answer_again() -> object:
                await net.sleep(JOIN_ANSWER_SECONDS)
                return answered.value

            coordinator._join_task = net.call_soon_with_future(answer_again)  # noqa: SLF001
        return 3 * JOIN_ANSWER_SECONDS

    def _membership(self) -> Membership | None:
        """Take the proof of membership; None when there is none the broker would check.

        A commit with generation -1 and no member id is accepted by the broker over a live member's.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - being fenced is told to nobody; it only stops the heartbeats
        if self._settings.instance_id is not None and coordinator.stable() and not coordinator._heartbeat_enabled:  # noqa: SLF001
            raise FencedError(two_replicas(self._settings.instance_id))
        if not coordinator.stable() and not self._consumer.assignment():
            return None  # it has joined, but was not told its partitions yet
        metadata = self._consumer.group_metadata()
        if metadata.generation_id < 0 or not metadata.member_id:
            return None
        return metadata if self._heartbeats.are_answered(metadata) else None

    def _perhaps_given_away(self, membership: Membership | None) -> frozenset[int]:
        """Return what is held if the group has had a generation without this member since the last poll.

        A member that hears of its eviction only while it joins again is told nothing when it gets the same partitions back,
        although another member may have read on in them meanwhile.
        """
        if membership is None:
            return frozenset()
        before, self._member = self._member, membership
        if before is None or (
            membership.member_id == before.member_id and membership.generation_id - before.generation_id in (0, 1)
        ):
            return frozenset()
        return self._held

    def _follow_assignment(self, taken_away: frozenset[int]) -> tuple[frozenset[int], frozenset[int]]:
        """Return what was revoked and assigned since the last time; forget the positions of both."""
        current = frozenset(tp.partition for tp in self._consumer.assignment())
        taken = self._changes.take() | taken_away
        revoked = frozenset(p for p in self._held if p in taken or p not in current)
        assigned = current - (self._held - revoked)
        for partition in revoked | assigned:
            self._next.pop(partition, None)
        self._consumer.pause(*map(self._of, assigned))
        self._held = current
        return revoked, assigned

    def _drop(self, error: OffsetOutOfRangeError | LogTruncationError) -> frozenset[int]:
        """Return the partitions whose position is no longer in the log, parked at a placeholder."""
        named = error.divergent_offsets if isinstance(error, LogTruncationError) else error.args[0]
        lost = set(named) & self._consumer.assignment()
        for tp in lost:
            logger.warning("partition %d no longer holds position %s", tp.partition, self._next.get(tp.partition))
        self._changes.on_partitions_assigned(lost)
        return frozenset(tp.partition for tp in lost)

    def _chunks(self, records: dict[TopicPartition, list[Any]]) -> tuple[Chunk, ...]:
        """Cut what was read at the client's positions, and move ours."""
        chunks = []
        subscription = self._consumer._subscription  # noqa: SLF001 - consumer.position() may ask brokers, without a bound
        for partition, start in self._next.items():
            stop = subscription.position(self._of(partition)).offset
            if stop > start:
                chunks.append(Chunk(partition, start, stop, records.get(self._of(partition), ())))
                self._next[partition] = stop
        return tuple(chunks)

    def _description(self) -> TopicDescription:
        if self._topics is None:
            self._topics = KafkaTopics(self._settings)
        found = self._topics.describe(self._topic)
        if found is None:
            msg = f"topic {self._topic} does not exist now"
            raise RetriableError(msg)
        return found

    def _reading(self) -> KafkaReader:
        if self._reader is None:
            self._reader = KafkaReader(self._settings, self._topic)
        return self._reader

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    def _translated(self, error: KafkaError, doing: str) -> Exception:
        group = f"{doing} in topic {self._topic} as group {self._settings.group_id}"
        return translate(error, group, self._settings.instance_id)
