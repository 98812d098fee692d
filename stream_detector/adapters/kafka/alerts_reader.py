"""Reading the alerts topic from outside any consumer group: the last alerts, then those that come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import open_client, reader_options
from stream_detector.errors import RetriableError
from stream_detector.readings import Record
from stream_detector.settings.schema import KafkaSettings

#: The client's poll does not return when it passed only markers; so it is asked for no longer than this at a time.
SLICE_MS = 100
#: How often the topic is looked up again: partitions may be added, and brokers may be away.
LOOKUP_SECONDS = 5.0


class AlertsReader:
    """Committed records of the alerts topic. Every call is bounded; commits nothing. Not thread-safe.

    Raises RetriableError when the brokers do not answer (the next call may succeed), PermanentDeliveryError when they refuse.
    """

    def __init__(self, settings: KafkaSettings, now: Callable[[], float] = time.monotonic) -> None:
        self.topic = settings.alerts_topic
        self._timeout_seconds = settings.request_timeout_seconds
        self._now = now
        self._consumer: Any = open_client(KafkaConsumer, reader_options(settings))
        self._assigned: set[TopicPartition] = set()
        self._looked_up_at = float("-inf")

    def exists(self) -> bool:
        """Say whether the topic exists, as far as is known."""
        return bool(self._assigned)

    def last(self, count: int) -> list[Record]:
        """Return the last `count` alerts that are there now, oldest first, and let `poll` go on after them."""
        try:
            partitions = self._partitions()
            begins = self._offsets(self._consumer.beginning_offsets, partitions)
            ends = self._offsets(self._consumer.end_offsets, partitions)
            self._consumer.assign(partitions)
            records = self._search_back(begins, ends, count)
            for tp, end in ends.items():
                self._consumer.seek(tp, end)
        except KafkaError as error:
            raise translate(error, f"reading topic {self.topic}") from error
        self._assigned = set(partitions)
        self._looked_up_at = self._now()
        return sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))[-count:]

    def poll(self, timeout_seconds: float) -> list[Record]:
        """Return the alerts that came since, in the order in which they were read."""
        deadline = self._now() + timeout_seconds
        try:
            if self._now() - self._looked_up_at >= LOOKUP_SECONDS:
                self._look_up()
            while True:
                records = self._poll_once()
                if records or self._now() >= deadline:
                    return records
        except KafkaError as error:
            raise translate(error, f"reading topic {self.topic}") from error

    def close(self) -> None:
        """Release the connections. Idempotent, bounded."""
        self._consumer.close(autocommit=False, timeout_ms=self._timeout_seconds * 1000)

    def _search_back(self, begins: dict[Any, int], ends: dict[Any, int], count: int) -> list[Record]:
        """Read from further and further back until there are enough: markers and gaps take offsets as well."""
        back = 2 * count + 8
        while True:
            starts = {tp: max(begins[tp], ends[tp] - back) for tp in ends}
            records = self._read_span(starts, ends) if count else []
            if len(records) >= count or starts == begins:
                return records
            back *= 8

    def _read_span(self, starts: dict[Any, int], ends: dict[Any, int]) -> list[Record]:
        for tp, start in starts.items():
            self._consumer.seek(tp, start)
        records: list[Record] = []
        deadline = self._now() + self._timeout_seconds
        while any(self._position(tp) < end for tp, end in ends.items()):
            polled = self._consumer.poll(timeout_ms=SLICE_MS)
            new = [record for tp, batch in polled.items() for record in batch if record.offset < ends[tp]]
            records += new
            if new:
                deadline = self._now() + self._timeout_seconds
            elif self._now() > deadline:
                msg = f"topic {self.topic} gave nothing within {self._timeout_seconds:g} s"
                raise RetriableError(msg)
        return records

    def _poll_once(self) -> list[Record]:
        if not self._assigned:
            time.sleep(SLICE_MS / 1000.0)
            return []
        try:
            polled = self._consumer.poll(timeout_ms=SLICE_MS)
        except OffsetOutOfRangeError:  # retention overtook us, or the topic was made anew
            self._consumer.seek_to_beginning(*self._assigned)
            return []
        return [record for batch in polled.values() for record in batch]

    def _look_up(self) -> None:
        """Take in partitions that are new, from their beginning. Raises KafkaError when no broker answers."""
        self._looked_up_at = self._now()
        partitions = self._partitions()
        begins = self._offsets(self._consumer.beginning_offsets, partitions)
        new = begins.keys() - self._assigned
        if new:
            self._assigned |= new
            self._consumer.assign(sorted(self._assigned))
            for tp in new:
                self._consumer.seek(tp, begins[tp])

    def _partitions(self) -> list[TopicPartition]:
        found = self._consumer.partitions_for_topic(self.topic) or ()
        return [TopicPartition(self.topic, partition) for partition in sorted(found)]

    def _offsets(self, look_up: Callable[..., dict[Any, int]], partitions: Sequence[TopicPartition]) -> dict[Any, int]:
        return look_up(partitions, timeout_ms=self._timeout_seconds * 1000) if partitions else {}

    def _position(self, tp: TopicPartition) -> int:
        return int(self._consumer.position(tp, timeout_ms=self._timeout_seconds * 1000))
