"""Polling a Kafka consumer whose partitions are paused and resumed, and whose log may be damaged."""

# ruff: noqa: SLF001 - the client offers no way to do any of this
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.future import Future

from stream_detector.adapters.kafka.client_patches.damaged_batches import Damage, DeliverableBatches
from stream_detector.adapters.kafka.client_patches.partition_records import partition_records

logger = logging.getLogger(__name__)

#: How long a damaged batch is fetched again before it is given up: a broker or a network recovers, a disk does not.
PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.1
#: A damage not met for so long is a new one. Longer than polls are apart when much else is to be done.
_FORGET_SECONDS = 30.0
#: The client's poll looks at its group at most so often. Heartbeats are sent by a thread of its own.
_PAUSE_SECONDS = 0.1
#: How long what came since is waited for, at most, by a poll that finds what was kept since the one before.
_CATCH_UP_MS = 10


class Fetching:
    """The polls of one consumer, which it is made with and which nobody else polls."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._consumer = consumer
        self._fetcher = consumer._fetcher
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._sleep = sleep
        self._met: dict[tuple[TopicPartition, int], tuple[float, float]] = {}  # when a damage was met first and last
        self._given_up: set[tuple[TopicPartition, int]] = set()
        self._is_waiting = False
        self._lost = 0
        self._error: KafkaError | None = None
        self._coordinator = consumer._coordinator
        self._pause_for_heartbeats(self._coordinator)
        self._fetcher.PartitionRecords = self._deliverable
        self._ask = self._fetcher.send_fetches
        self._fetcher.send_fetches = self._ask_and_look

    def poll_to_now(self, timeout_ms: float, most: int) -> dict[TopicPartition, list[Any]]:
        """Poll at most so many records, those too that came since the client last asked a broker.

        The client asks once after each poll and then waits for the next poll, so what it keeps is as old as the last poll.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if timeout_ms > 0 and self._coordinator.need_rejoin():
            return self.poll(timeout_ms, most)  # the answer to a join is taken up by one poll that waits for it, or is lost
        records = self.poll(0, most)
        found = sum(map(len, records.values()))
        if not found and timeout_ms > 0:
            return self.poll(timeout_ms, most)
        if not 0 < found < most:
            return records
        try:
            more = self.poll(_CATCH_UP_MS, most - found)
        except KafkaError as raised:  # the client is past what is in hand: it would be lost
            self._error = raised
            return records
        for partition, of_partition in more.items():
            records.setdefault(partition, []).extend(of_partition)
        return records

    def poll(self, timeout_ms: float, max_records: int | None = None) -> dict[TopicPartition, list[Any]]:
        """Poll as the client does, and let it give the records that it kept while their partition was paused.

        What is parsed of a paused partition is kept aside, and taken up again only when the client holds no other partition's
        records; but it goes on holding the last one's, when they are used up (a resumed partition would stay silent for good),
        and when their partition was paused (a resumed one would be silent for a poll).
        A damaged batch is as if it had not arrived yet; after a while, as if it were not there.
        """
        self._put_aside()
        self._is_waiting = False
        records: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        if self._is_waiting and not records:
            self._sleep(min(_RETRY_SECONDS, timeout_ms / 1000))  # the broker has an answer at once
        return records

    def _ask_and_look(self) -> Any:
        """Ask the brokers as the client does before it waits, and keep it from waiting with records in hand.

        It forgets a request that is answered after it looked at the answers and before it asks anew, and then waits for an
        answer to another one: up to a tenth of a second, in one poll of a hundred.
        """
        asked = self._ask()
        if self._fetcher._completed_fetches:
            self._fetcher._fetch_futures.append(Future().success(None))  # it looks again when one of these is done
        return asked

    def _put_aside(self) -> None:
        """Let the client hold no records but those of a partition that can be read."""
        fetcher, held = self._fetcher, self._fetcher._next_partition_records
        if held and fetcher._subscriptions.is_paused(held.topic_partition):
            fetcher._paused_partition_records[held.topic_partition] = held
            fetcher._next_partition_records = None
        elif not held:
            fetcher._next_partition_records = None

    def take_lost(self) -> int:
        """Return how many offsets were given up since the last call."""
        lost, self._lost = self._lost, 0
        return lost

    @staticmethod
    def _pause_for_heartbeats(coordinator: Any) -> None:
        """Keep the client's poll from spinning as long as a heartbeat is not answered, which it takes for one that is due."""
        time_to_next_poll = coordinator.time_to_next_poll
        coordinator.time_to_next_poll = lambda: max(_PAUSE_SECONDS, time_to_next_poll())

    def _deliverable(self, fetch_offset: int, tp: TopicPartition, records: Any, **options: Any) -> Any:
        """Return what the client's fetcher holds of a fetch, of batches that it cannot fall over."""
        batches = DeliverableBatches(records, fetch_offset, partial(self._log_end, tp), partial(self._gives_up, tp))
        return partition_records(fetch_offset, tp, batches, **options)

    def _log_end(self, tp: TopicPartition) -> int | None:
        state = self._fetcher._subscriptions.assignment.get(tp)
        return None if state is None else state.highwater

    def _gives_up(self, tp: TopicPartition, damage: Damage) -> bool:
        """Say whether to pass over a damage; log it when it is met, and what is lost when it is given up."""
        key = tp, damage.start
        if key in self._given_up:
            return True
        where = (
            f"{tp.topic} partition {tp.partition}: offsets {damage.start} to {damage.stop - 1} cannot be read: {damage.reason}"
        )
        now = self._clock()
        first, last = self._met.get(key, (now, -math.inf))
        if now - last > _FORGET_SECONDS:  # never met, or it had passed meanwhile: then it may pass again
            first = now
            if damage.may_pass:
                logger.warning("%s; trying again for %g s", where, self._patience_seconds)
        self._met[key] = first, now
        if damage.may_pass and now - first < self._patience_seconds:
            self._is_waiting = True
            return False
        del self._met[key]
        self._given_up.add(key)
        self._lost += damage.stop - damage.start
        logger.error("%s; given up, reading goes on at %d", where, damage.stop, extra={"partition": tp.partition})
        return True
