"""Unpacks records from the bytes of a batch in Kafka's format 2.

Defect: the client calls a function for each number and makes two objects of each record. It takes four times as long as this
loop, which reads numbers of one and two bytes inline; nearly all are that short. The client's parser does not check the bytes
that it reads. Seen in kafka-python 3.0.12; no upstream issue found.
"""

# ruff: noqa: SLF001 - the client's batch has no public way to its bytes
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from kafka import TopicPartition
from kafka.errors import CorruptRecordError

from stream_detector.readings import Header

#: The most headers kept of a record: a batch may hold tens of millions of empty ones.
MAXIMUM_HEADERS = 100_000
_MOST_NUMBER_BYTES = 10
_NO_HEADERS: tuple[Header, ...] = ()


class KafkaRecord(msgspec.Struct, frozen=True, gc=False):
    """A readings.Record. A timestamp of -1 means none. Not tracked by the garbage collector: it cannot be part of a cycle."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


def _of_client(record: Any, tp: TopicPartition) -> KafkaRecord:
    """Convert a record of the client to a KafkaRecord."""
    time_ms = -1 if record.timestamp is None else record.timestamp
    return KafkaRecord(tp.topic, tp.partition, record.offset, time_ms, record.key, record.value, tuple(record.headers))


def legacy(batch: Any, tp: TopicPartition) -> Iterator[KafkaRecord]:
    """Yield the records of a batch of format 0 or 1. Raises CorruptRecordError."""
    for record in batch:
        if not record.validate_crc():
            msg = f"the checksum of the record at {record.offset} is wrong"
            raise CorruptRecordError(msg)
        yield _of_client(record, tp)


def unpacked(batch: Any, tp: TopicPartition) -> Iterator[KafkaRecord]:  # noqa: PLR0912 - a call for each number takes twice as long
    """Yield the records of a decompressed batch of the client, one at a time: a batch may hold millions.

    Numbers are zigzag varints: seven bits to a byte, the lowest first, the sign in the lowest bit. Null has the size -1.
    Raises CorruptRecordError at the first bytes that are not a record, after yielding the records before them.
    """
    (topic, partition), base, first = tp, batch.base_offset, batch.first_timestamp
    appended = batch.max_timestamp if batch.timestamp_type else None
    largest = 2 * batch.last_offset_delta
    data, at = bytes(batch._buffer), batch._pos - 1  # the byte that was read last
    try:
        for _ in range(batch.records_count):
            if (size := data[at := at + 1]) > 127:
                if (more := data[at := at + 1]) > 127:
                    size, at = _number(data, at - 1)
                else:
                    size += (more << 7) - 128
            end = at + (size >> 1)
            if (time := data[at := at + 2]) > 127:
                if (more := data[at := at + 1]) > 127:
                    time, at = _number(data, at - 1)
                else:
                    time += (more << 7) - 128
            if (delta := data[at := at + 1]) > 127:
                if (more := data[at := at + 1]) > 127:
                    delta, at = _number(data, at - 1)
                else:
                    delta += (more << 7) - 128
            if (length := data[at := at + 1]) > 127:
                if (more := data[at := at + 1]) > 127:
                    length, at = _number(data, at - 1)
                else:
                    length += (more << 7) - 128
            key = None if length & 1 else data[at + 1 : (at := at + (length >> 1)) + 1]
            if (length := data[at := at + 1]) > 127:
                if (more := data[at := at + 1]) > 127:
                    length, at = _number(data, at - 1)
                else:
                    length += (more << 7) - 128
            value = None if length & 1 else data[at + 1 : (at := at + (length >> 1)) + 1]
            headers, at = _headers(data, at, end) if data[at := at + 1] else (_NO_HEADERS, at)
            if at != end or (size | delta) & 1 or delta > largest:
                raise ValueError("its size or its offset is impossible")
            time_ms = first + ((time >> 1) ^ -(time & 1)) if appended is None else appended
            yield KafkaRecord(topic, partition, base + (delta >> 1), time_ms, key, value, headers)
    except (IndexError, ValueError) as error:
        msg = f"no record: {error}"
        raise CorruptRecordError(msg) from error
    if at + 1 != len(data):
        msg = f"{len(data) - at - 1} bytes follow the last record"
        raise CorruptRecordError(msg)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of any length, the sign still in its lowest bit, and the place of its last byte."""
    number = 0
    for place in range(_MOST_NUMBER_BYTES):
        byte = data[at + place]
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place
    msg = f"a number of more than {_MOST_NUMBER_BYTES} bytes"
    raise ValueError(msg)


def _headers(data: bytes, at: int, end: int) -> tuple[tuple[Header, ...], int]:
    """Return the headers whose count is at a place, and where they end. Names have escapes for bytes that are not UTF-8.

    Headers beyond MAXIMUM_HEADERS are skipped: they end where the record ends. Raises ValueError or IndexError.
    """
    count, at = _number(data, at)
    if count & 1 or count > end - at:  # twice the number: a header has two bytes at least
        msg = "an impossible number of headers"
        raise ValueError(msg)
    headers: list[Header] = []
    for _ in range(min(count >> 1, MAXIMUM_HEADERS)):
        name, at = _content(data, at)
        if name is None:
            msg = "a header without a name"
            raise ValueError(msg)
        value, at = _content(data, at)
        headers.append((name.decode("utf-8", "backslashreplace"), value))
    return tuple(headers), end if count >> 1 > MAXIMUM_HEADERS else at


def _content(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the name or value after the byte at a place, and the place of its last byte."""
    length, at = _number(data, at + 1)
    return (None, at) if length & 1 else (data[at + 1 : at + 1 + (length >> 1)], at + (length >> 1))
