"""Reads the alerts topic outside any consumer group: the last alerts, then new ones as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from stream_detector.adapters.kafka.span_reader import SLICE_MS, KafkaReader, PositionLostError
from stream_detector.errors import RetriableError
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings

#: How often to look up the topic's partitions: the topic may be created, or partitions added.
LOOKUP_SECONDS = 5.0


class AlertsReader:
    """Reads committed records of the alerts topic. Every call is bounded. Commits nothing. Not thread-safe.

    Raises RetriableError when the brokers do not answer (the next call may succeed), PermanentDeliveryError when they refuse.
    """

    def __init__(self, settings: KafkaSettings, now: Callable[[], float] = time.monotonic) -> None:
        self.topic = settings.alerts_topic
        self._timeout_seconds = settings.request_timeout_seconds
        self._now = now
        self._reader = KafkaReader(settings, self.topic)
        self._positions: dict[int, int] = {}  # where each partition is read next
        self._looked_up_at = float("-inf")

    def exists(self) -> bool:
        """Return whether the topic is known to exist."""
        return bool(self._positions)

    def last(self, count: int) -> list[Record]:
        """Return the last `count` alerts so far, oldest first. `poll` continues after them."""
        bounds = self._reader.bounds_of(self._reader.partitions())
        records = self._search_back(bounds, count)
        self._positions = {partition: end for partition, (_, end) in bounds.items()}
        self._looked_up_at = self._now()
        return sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))[-count:]

    def poll(self, timeout_seconds: float) -> list[Record]:
        """Return new alerts, in the order in which they were read; none if the time-out passes without one."""
        deadline = self._now() + timeout_seconds
        if self._now() - self._looked_up_at >= LOOKUP_SECONDS:
            self._look_up()
        while True:
            records = self._poll_once()
            if records or self._now() >= deadline:
                return records

    def close(self) -> None:
        """Release the connections. Idempotent, bounded."""
        self._reader.close()

    def _search_back(self, bounds: Mapping[int, tuple[int, int]], count: int) -> list[Record]:
        """Read from further and further back until there are enough alerts: markers and gaps use up offsets too."""
        ends = {partition: end for partition, (_, end) in bounds.items()}
        back = 2 * count + 8
        while True:
            starts = {partition: max(begin, end - back) for partition, (begin, end) in bounds.items()}
            records = self._read_spans(starts, ends) if count else []
            if len(records) >= count or all(starts[partition] == begin for partition, (begin, _) in bounds.items()):
                return records
            back *= 8

    def _read_spans(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> list[Record]:
        positions = dict(starts)
        records: list[Record] = []
        deadline = self._now() + self._timeout_seconds
        while unread := {partition: start for partition, start in positions.items() if start < ends[partition]}:
            chunks = self._reader.poll(unread)
            if chunks:
                deadline = self._now() + self._timeout_seconds
            elif self._now() > deadline:
                msg = f"topic {self.topic} returned nothing within {self._timeout_seconds:g} s"
                raise RetriableError(msg)
            for chunk in chunks:
                positions[chunk.partition] = chunk.stop
                records += [record for record in chunk.records if record.offset < ends[chunk.partition]]
        return records

    def _poll_once(self) -> list[Record]:
        if not self._positions:
            time.sleep(SLICE_MS / 1000.0)
            return []
        try:
            chunks = self._reader.poll(self._positions)
        except PositionLostError:  # retention removed it, or the topic was deleted and created again
            self._positions = {partition: begin for partition, (begin, _) in self._reader.bounds_of(self._positions).items()}
            return []
        self._positions |= {chunk.partition: chunk.stop for chunk in chunks}
        return [record for chunk in chunks for record in chunk.records]

    def _look_up(self) -> None:
        """Add new partitions, from their beginning."""
        self._looked_up_at = self._now()
        new = set(self._reader.partitions()) - self._positions.keys()
        self._positions |= {partition: begin for partition, (begin, _) in self._reader.bounds_of(sorted(new)).items()}
