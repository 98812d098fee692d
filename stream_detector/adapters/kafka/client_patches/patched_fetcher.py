"""Polls a Kafka consumer whose partitions are paused and resumed, and whose log may be damaged.

Defects of the client's fetcher, each explained at its method:

- It keeps the records of a paused partition and may never return them (`_put_aside`).
- It waits for a broker although records have arrived (`_send_fetches_and_look`).
- It returns records as old as the last poll (`poll_latest`).
- It loops forever on a damaged batch (damaged_batches.py).

Seen in kafka-python 3.0.12. The client retains the records of paused partitions since
https://github.com/dpkp/kafka-python/pull/2981; no upstream issue found for the defects.
"""

# ruff: noqa: SLF001 - the client has no public way to do any of this
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
from stream_detector.adapters.kafka.client_patches.group_coordinator import keep_poll_from_spinning
from stream_detector.adapters.kafka.client_patches.partition_records import partition_records

logger = logging.getLogger(__name__)

#: How long to retry a damaged batch before skipping it: a broker or a network recovers, a disk does not.
PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.1
#: Damage not met for this long counts as new. Longer than the pause between the polls of a busy service.
_FORGET_SECONDS = 30.0
#: Longest wait, after a poll that found retained records, for those that arrived since.
_CATCH_UP_MS = 10


class PatchedFetcher:
    """Polls one consumer. Nobody else may poll it."""

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
        self._met: dict[tuple[TopicPartition, int], tuple[float, float]] = {}  # when damage was met first and last
        self._skipped: set[tuple[TopicPartition, int]] = set()
        self._is_waiting = False
        self._lost_offsets = 0
        self._error: KafkaError | None = None
        self._coordinator = consumer._coordinator
        keep_poll_from_spinning(consumer)
        self._fetcher.PartitionRecords = self._partition_records
        self._send_fetches = self._fetcher.send_fetches
        self._fetcher.send_fetches = self._send_fetches_and_look

    def poll_latest(self, timeout_ms: float, max_records: int) -> dict[TopicPartition, list[Any]]:
        """Poll at most `max_records` records, including those that arrived since the client last asked a broker.

        The client sends a fetch after each poll and looks at the answer in the next one, so the records that it retains are
        as old as the last poll.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if timeout_ms > 0 and self._coordinator.need_rejoin():
            return self.poll(timeout_ms, max_records)  # a join's answer needs a single poll that waits for it
        records = self.poll(0, max_records)
        found = sum(map(len, records.values()))
        if not found and timeout_ms > 0:
            return self.poll(timeout_ms, max_records)
        if not 0 < found < max_records:
            return records
        try:
            more = self.poll(_CATCH_UP_MS, max_records - found)
        except KafkaError as raised:  # the client has moved on: raising now would lose the records in hand
            self._error = raised
            return records
        for partition, of_partition in more.items():
            records.setdefault(partition, []).extend(of_partition)
        return records

    def poll(self, timeout_ms: float, max_records: int | None = None) -> dict[TopicPartition, list[Any]]:
        """Poll as the client does, and also return the records that it retained while their partition was paused.

        A damaged batch counts as not arrived yet, and after PATIENCE_SECONDS as absent.
        """
        self._put_aside()
        self._is_waiting = False
        records: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        if self._is_waiting and not records:
            self._sleep(min(_RETRY_SECONDS, timeout_ms / 1000))  # the broker would answer at once, again and again
        return records

    def take_lost_offsets(self) -> int:
        """Return how many offsets were skipped as damaged since the last call."""
        lost, self._lost_offsets = self._lost_offsets, 0
        return lost

    def _send_fetches_and_look(self) -> Any:
        """Send fetches as the client does before it waits, and keep it from waiting while it has records.

        The client overlooks an answer that arrives after it looked for answers and before it sends the next requests. It then
        waits for the next answer: up to a tenth of a second, in one poll of a hundred.
        """
        sent = self._send_fetches()
        if self._fetcher._completed_fetches:
            self._fetcher._fetch_futures.append(Future().success(None))  # the client looks again when one of these is done
        return sent

    def _put_aside(self) -> None:
        """Make the client hold no records except those of a partition that may be read.

        The client sets the parsed records of a paused partition aside, and resumes them only when it holds no other
        partition's. But it keeps holding the last partition's records, both when they are used up (a resumed partition then
        stays silent for good) and when that partition was paused (a resumed one is then silent for one poll).
        """
        fetcher, held = self._fetcher, self._fetcher._next_partition_records
        if held and fetcher._subscriptions.is_paused(held.topic_partition):
            fetcher._paused_partition_records[held.topic_partition] = held
            fetcher._next_partition_records = None
        elif not held:
            fetcher._next_partition_records = None

    def _partition_records(self, fetch_offset: int, tp: TopicPartition, records: Any, **options: Any) -> Any:
        """Return the fetched records for the client's fetcher, in batches that it cannot fail on."""
        batches = DeliverableBatches(records, fetch_offset, partial(self._log_end, tp), partial(self._skips, tp))
        return partition_records(fetch_offset, tp, batches, **options)

    def _log_end(self, tp: TopicPartition) -> int | None:
        state = self._fetcher._subscriptions.assignment.get(tp)
        return None if state is None else state.highwater

    def _skips(self, tp: TopicPartition, damage: Damage) -> bool:
        """Return whether to skip damage; log it when it is first met and when it is skipped."""
        key = tp, damage.start
        if key in self._skipped:
            return True
        where = (
            f"{tp.topic} partition {tp.partition}: offsets {damage.start} to {damage.stop - 1} cannot be read: {damage.reason}"
        )
        now = self._clock()
        first, last = self._met.get(key, (now, -math.inf))
        if now - last > _FORGET_SECONDS:  # never met, or repaired meanwhile: then it may be repaired again
            first = now
            if damage.may_recover:
                logger.warning("%s; trying again for %g s", where, self._patience_seconds)
        self._met[key] = first, now
        if damage.may_recover and now - first < self._patience_seconds:
            self._is_waiting = True
            return False
        del self._met[key]
        self._skipped.add(key)
        self._lost_offsets += damage.stop - damage.start
        logger.error("%s; skipped, reading continues at %d", where, damage.stop, extra={"partition": tp.partition})
        return True
