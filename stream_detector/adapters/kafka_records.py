"""Records unpacked from the bytes of a batch of Kafka's format 2.

The client calls a function for each number and makes two objects of each record, which takes four times as long as the loop
here. The loop knows what nearly all records are like; the others take a slower way.
"""

# ruff: noqa: SLF001 - the client's batch has no other way to its bytes
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any

import msgspec
from kafka import TopicPartition
from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

from stream_detector.readings import Header

#: What the second byte of a number adds if it is the last one, and the third: seven bits, less the mark of the byte before it.
#: A byte that is not the last one has a mark of its own, 128, and no place in here.
_SECOND = tuple((byte << 7) - 128 for byte in range(128))
_THIRD = tuple((byte << 14) - 16384 for byte in range(128))


class KafkaRecord(msgspec.Struct, frozen=True, gc=False):
    """readings.Record. A timestamp of -1 is none. The collector need not look at it: it can be part of no cycle."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


def _of_client(record: Any, tp: TopicPartition) -> KafkaRecord:
    """Return a record of the client's as one of ours."""
    time_ms = -1 if record.timestamp is None else record.timestamp
    return KafkaRecord(tp.topic, tp.partition, record.offset, time_ms, record.key, record.value, tuple(record.headers))


def legacy(batch: Any, tp: TopicPartition) -> Iterator[KafkaRecord]:
    """Give the records of a batch of the formats 0 and 1. Raises CorruptRecordError."""
    for record in batch:
        if not record.validate_crc():
            msg = f"the checksum of the record at {record.offset} is wrong"
            raise CorruptRecordError(msg)
        yield _of_client(record, tp)


def unpacked(batch: Any, tp: TopicPartition) -> Iterator[KafkaRecord]:
    """Give the records of a batch of the client's that is decompressed; one at a time, for a batch may hold millions.

    Raises CorruptRecordError where they end being records; those before have been given.
    """
    data, at, left = bytes(batch._buffer), batch._pos, batch.records_count
    while left > 0:
        at, left = yield from _usual(batch, tp, data, at, left)
        if left:
            record, at = _unusual(batch, tp, data, at)
            left -= 1
            yield record
    if at != len(data):
        msg = f"{len(data) - at} bytes follow the last record"
        raise CorruptRecordError(msg)


def _usual(batch: Any, tp: TopicPartition, data: bytes, at: int, left: int) -> Generator[KafkaRecord, None, tuple[int, int]]:
    """Give records up to one with long numbers, attributes or damage; return where that begins, and how many are left.

    Numbers have seven bits in a byte, the lowest first, and their sign in the lowest; what is null has the size -1.
    """
    (topic, partition), base, first = tp, batch.base_offset, batch.first_timestamp
    appended = batch.max_timestamp if batch.timestamp_type else None
    begin, at = at, at - 1  # the byte that was read last
    headers: tuple[Header, ...] = ()
    with suppress(IndexError, ValueError):
        while left:
            if (size := data[at := at + 1]) > 127:
                size += _SECOND[data[at := at + 1]]
            start = at
            if (time := data[at := at + 2]) > 127:
                if (second := data[at := at + 1]) > 127:
                    time += _THIRD[data[at := at + 1]]
                time += (second << 7) - 128
            if (delta := data[at := at + 1]) > 127:
                delta += _SECOND[data[at := at + 1]]
            if (length := data[at := at + 1]) > 127:
                length += _SECOND[data[at := at + 1]]
            key = None if length & 1 else data[at + 1 : (at := at + (length >> 1)) + 1]
            if (length := data[at := at + 1]) > 127:
                length += _SECOND[data[at := at + 1]]
            value = None if length & 1 else data[at + 1 : (at := at + (length >> 1)) + 1]
            if data[at := at + 1] or headers:
                headers, end = _headers(data, at)
                at = end - 1
            if data[start + 1] or delta & 1 or 2 * (at - start) != size:
                break
            begin, left = at + 1, left - 1
            time_ms = first + ((time >> 1) ^ -(time & 1)) if appended is None else appended
            yield KafkaRecord(topic, partition, base + (delta >> 1), time_ms, key, value, headers)
    return begin, left


def _unusual(batch: Any, tp: TopicPartition, data: bytes, at: int) -> tuple[KafkaRecord, int]:
    """Return the record that begins at a place, and where it ends. Raises CorruptRecordError."""
    try:
        size, start = decode_varint(data, at)
        _attributes, at = decode_varint(data, start)
        delay_ms, at = decode_varint(data, at)
        delta, at = decode_varint(data, at)
        key, at = _content(data, at)
        value, at = _content(data, at)
        headers, at = _headers(data, at)
    except (IndexError, ValueError) as error:
        msg = f"no record: {error}"
        raise CorruptRecordError(msg) from error
    if at - start != size:
        msg = f"a record of {size} bytes takes {at - start}"
        raise CorruptRecordError(msg)
    time_ms = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + delay_ms
    return KafkaRecord(tp.topic, tp.partition, batch.base_offset + delta, time_ms, key, value, headers), at


def _headers(data: bytes, at: int) -> tuple[tuple[Header, ...], int]:
    """Return the headers at a place and where they end; their names with escapes for what is not UTF-8.

    Raises ValueError or IndexError.
    """
    count, at = decode_varint(data, at)
    if count < 0:
        msg = f"{count} headers"
        raise ValueError(msg)
    headers: list[Header] = []
    for _ in range(count):
        name, at = _content(data, at)
        if name is None:
            msg = "a header without a name"
            raise ValueError(msg)
        value, at = _content(data, at)
        headers.append((name.decode("utf-8", "backslashreplace"), value))
    return tuple(headers), at


def _content(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the key, value or name at a place, and where it ends."""
    size, at = decode_varint(data, at)
    return (data[at : at + size], at + size) if size >= 0 else (None, at)
