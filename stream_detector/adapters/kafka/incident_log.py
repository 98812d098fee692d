"""Reads the alerts topic back to find the incidents that it leaves open. Implements ports.IncidentLog."""

from __future__ import annotations

from collections.abc import Iterator

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.adapters.kafka.topics import KafkaTopics
from stream_detector.detection.open_incidents import OpenIncident, open_incidents
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings

#: How far back to search for open incidents, in records per partition of the alerts topic.
MAXIMUM_RECORDS = 20_000
_SLICE_RECORDS = 2_000


class KafkaIncidentLog:
    """Reads the newest events of the alerts topic, outside any consumer group, at each call."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    def open_incidents(self, partition: int, position: int) -> list[OpenIncident]:
        """See ports.IncidentLog. Misses incidents whose newest event is more than MAXIMUM_RECORDS back. Blocks."""
        with KafkaTopics(self._settings) as topics:
            found = topics.describe(self._settings.alerts_topic)
        if found is None:
            return []
        reader = KafkaReader(self._settings, found.name)
        try:
            values = (record.value for number in found.partitions for record in self._newest(reader, number))
            return open_incidents(values, self._settings.input_topic, partition, position)
        finally:
            reader.close()

    @staticmethod
    def _newest(reader: KafkaReader, number: int) -> Iterator[Record]:
        start, end = reader.bounds(number)
        at = max(start, end - MAXIMUM_RECORDS)
        while at < end:
            chunk = reader.read(number, at, end, _SLICE_RECORDS)
            at = chunk.stop
            yield from chunk.records
