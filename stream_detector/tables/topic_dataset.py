"""Reads a span of the input topic as a dataset for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.local_time import second_pass
from stream_detector.ports import Chunk, Decoder
from stream_detector.readings import Lost, Readings
from stream_detector.state.bucket_state import Assembly
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.span_assembly import SpanAssembler, one_log
from stream_detector.tables.topic_span import RECORDS_PER_READ, TopicReader, TopicSpan
from stream_detector.values import describe_lost


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
