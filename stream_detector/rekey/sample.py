"""Samples the newest records of each partition of a topic, to see in which partitions a sensor is. Read only, bounded."""

from __future__ import annotations

from collections.abc import Iterator

from stream_detector.ingest.input_reader import InputReader
from stream_detector.ports import Source
from stream_detector.readings import Record
from stream_detector.rekey.unkeyed import Sighting, Spread, find_spread

#: How many partitions are looked at, how many of the newest records of each, and how many of all together.
_PARTITIONS, _OF_PARTITION, _OF_TOPIC = 100, 2_000, 30_000


def look_for_spread(source: Source, reader: InputReader) -> Spread | None:
    """Return the sensors that are spread over partitions, by the newest records; None if none is. Raises RetriableError."""
    numbers = sorted(source.partitions())[:_PARTITIONS]
    if len(numbers) < 2:
        return None
    count = min(_OF_PARTITION, _OF_TOPIC // len(numbers))
    sightings: list[Sighting] = []
    least_times: dict[int, int] = {}
    for number in numbers:
        first, end = source.bounds(number)
        start = max(first, end - count)
        records = list(_records(source, number, start, end))
        if records and start > first:
            least_times[number] = min(record.timestamp for record in records)
        sightings += (
            Sighting(record.timestamp, record.partition, record.offset, reading.sensor, record.key is not None)
            for record in records
            for reading in reader.readings_in(record)
        )
    return find_spread(sightings, least_times)


def _records(source: Source, number: int, start: int, end: int) -> Iterator[Record]:
    while start < end:
        chunk = source.read(number, start, end, end - start)
        yield from chunk.records
        start = chunk.stop
