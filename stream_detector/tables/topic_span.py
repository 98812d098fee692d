"""Finds a span of the input topic, and the features in it. topic_dataset.py reads one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stream_detector.errors import InputDataError
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.feature_names import is_number, is_unicode
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.shapes import READING, explain_record
from stream_detector.ports import Chunk
from stream_detector.readings import Record
from stream_detector.values import NO_MISSING_VALUES

#: Records per partition that are searched for feature names.
RECORDS_TO_FIND_FEATURES = 1_000
RECORDS_PER_READ = 5_000


class TopicReader(Protocol):
    """A topic to read from; a subset of ports.Source. Every call is bounded in time and may raise RetriableError."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first position and the end position."""

    def position_at(self, partition: int, time_ms: int) -> int:
        """Return the position of the first record with a timestamp at or after `time_ms`; the end if there is none."""

    def read(self, partition: int, start: int, stop: int, max_records: int) -> Chunk:
        """Read at most `max_records` records from position `start`, before `stop`."""


@dataclass(frozen=True, slots=True)
class TopicSpan:
    """Positions [start, stop) of each partition that has records in the span."""

    positions: dict[int, tuple[int, int]]

    @property
    def length(self) -> int:
        """The number of positions; there may be fewer records."""
        return sum(stop - start for start, stop in self.positions.values())


def find_span(reader: TopicReader, partitions: Sequence[int], start_ms: int | None, stop_ms: int | None) -> TopicSpan:
    """Find the records whose Kafka timestamp is in [start_ms, stop_ms); None leaves that side open.

    Raises InputDataError if there are none.
    """
    positions = {}
    for partition in partitions:
        first, end = reader.bounds(partition)
        start = first if start_ms is None else reader.position_at(partition, start_ms)
        stop = end if stop_ms is None else reader.position_at(partition, stop_ms)
        if start < stop:
            positions[partition] = (start, stop)
    if not positions:
        msg = "the topic holds no records in this span of time"
        raise InputDataError(msg)
    return TopicSpan(positions)


def find_features(reader: TopicReader, span: TopicSpan, of_input: InputReader) -> tuple[str, ...]:
    """Return the sorted feature names in the first records of each partition; raise InputDataError if there are none."""
    found: set[str] = set()
    other: Record | None = None
    for partition, (start, stop) in span.positions.items():
        learn_before(reader, of_input, partition, start)
        for record in reader.read(partition, start, stop, RECORDS_TO_FIND_FEATURES).records:
            names = _names_in(record, of_input)
            found |= names
            other = record if record.value and not names else other
    if not found:
        msg = f"no record at the start of the span is a reading, such as {READING}"
        if other is not None:
            msg += f". Partition {other.partition} offset {other.offset}: {explain_record(other.value or b'')}"
        raise InputDataError(msg)
    return tuple(sorted(found))


def _names_in(record: Record, of_input: InputReader) -> set[str]:
    """Return the feature names of a record; of a foreign one, which may have any text beside them, those of numbers."""
    pairs = ((name, value) for one in of_input.readings_in(record) for name, value in one.values.items())
    return {
        name
        for name, value in pairs
        if is_unicode(name)
        and of_input.selection.has_feature(name)
        and (of_input.is_native or is_number(value, name, NO_MISSING_VALUES))
    }
