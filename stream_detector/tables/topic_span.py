"""Reads a span of the input topic as a dataset for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.feature_names import is_number, is_unicode
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.local_time import second_pass
from stream_detector.ingest.shapes import READING, explain_record
from stream_detector.ports import Chunk, Decoder
from stream_detector.readings import Lost, Readings, Record
from stream_detector.state.bucket_state import Assembly
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.span_assembly import SpanAssembler, one_log
from stream_detector.values import NO_MISSING_VALUES, describe_lost

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


def read_topic_span(
    reader: TopicReader,
    span: TopicSpan,
    decoder: Decoder,
    features: Sequence[str],
    progress: Callable[[int], None] = lambda _: None,
    *,
    assembly: Assembly | None = None,
    is_one_log: bool = False,
) -> tuple[Dataset, list[str]]:
    """Read a span as a dataset, ordered by partition and position. Return it and a sentence on each reason for rejection.

    `decoder` decodes readings with these features; with `assembly`, messages of which readings are assembled as in the stream.
    With `is_one_log` the partitions are one, in the order of the records' times, as behind re-keying.
    Calls `progress` with the number of positions just read. Raises InputDataError if no record is a valid reading.
    """
    parts: list[Readings] = []
    assembler = SpanAssembler(assembly, len(features)) if assembly else None
    refused: Counter[str] = Counter()
    example: dict[str, str] = {}
    lost, tombstones = Counter[Lost](), 0
    for partition, (start, _) in span.positions.items():
        learn_before(reader, decoder, partition, start)
    for chunk in _chunks(reader, span):
        decoded = decoder.decode(chunk.records)
        parts.append(decoded.readings)
        refused.update(rejected.reason for rejected in decoded.rejected)
        example |= {rejected.reason: rejected.detail for rejected in decoded.rejected}
        lost.update(sum(decoded.lost.values(), Counter[Lost]()))
        tombstones += decoded.tombstones.total()
        progress(chunk.stop - chunk.start)
    parts = [one_log(parts)] if is_one_log else parts
    parts = [assembler.take(part) for part in parts] if assembler else parts
    notes = [f"{count} records were left out: {reason}, {example[reason]}" for reason, count in refused.most_common()]
    notes += [f"{tombstones} records without a value were skipped"] if tombstones else []
    notes += [f"taken as missing: {line}" for line in describe_lost(lost)]
    notes += assembler.notes() if assembler else []
    dataset = replace(_to_dataset(parts, features), held=assembler.held() if assembler else None)
    if not len(dataset):
        msg = f"no record of the span could be used ({'; '.join(notes)})"
        raise InputDataError(msg)
    return dataset, notes


def _chunks(reader: TopicReader, span: TopicSpan) -> Iterator[Chunk]:
    for partition, (start, stop) in span.positions.items():
        position = start
        while position < stop:
            chunk = reader.read(partition, position, stop, RECORDS_PER_READ)
            yield chunk
            position = chunk.stop


def _to_dataset(parts: Sequence[Readings], features: Sequence[str]) -> Dataset:
    names = [name for part in parts for name in part.sensors]
    code_of = {name: code for code, name in enumerate(dict.fromkeys(names))}
    codes = np.fromiter((code_of[name] for name in names), np.int32, len(names))
    times_ms = np.concatenate([part.times_ms for part in parts])
    if any(part.later_ms is not None for part in parts):
        none = (np.zeros(len(part), np.int64) if part.later_ms is None else part.later_ms for part in parts)
        later_ms = np.concatenate(list(none))
        times_ms += later_ms * second_pass(codes, times_ms, later_ms)
    return Dataset(
        features=tuple(features),
        sensors=tuple(code_of),
        codes=codes,
        times_ms=times_ms,
        values=np.concatenate([part.values for part in parts]),
        rows=np.arange(len(names), dtype=np.int64),
    )


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
