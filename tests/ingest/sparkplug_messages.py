"""Sparkplug B messages, written by hand from the numbers of their fields; a bridge keeps the topic in a header."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from tests.fakes.memory_log import MemoryRecord

START_MS = 1_795_417_920_000  # 2026-11-23T07:12:00Z
INT8, INT16, INT32, INT64, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME = 1, 2, 3, 4, 8, 9, 10, 11, 12, 13
_FIELDS = {BOOLEAN: 14, STRING: 15, FLOAT: 12, DOUBLE: 13, INT64: 11, UINT64: 11, DATETIME: 11}
_BITS = {INT8: 32, INT16: 32, INT32: 32, INT64: 64}


def varint(number: int) -> bytes:
    output = bytearray()
    while number > 0x7F:
        output.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*output, number])


def whole(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def counted(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def metric(
    name: str = "",
    value: object = None,
    *,
    alias: int | None = None,
    datatype: int = DOUBLE,
    at_ms: int = 0,
    says_type: bool = True,
    is_historical: bool = False,
    quality: int | None = None,
) -> bytes:
    """Return a metric; a value of None is null. Signed numbers become their two's complement, as Sparkplug has it."""
    parts = [counted(1, name.encode())] if name else []
    parts += [whole(2, alias)] if alias is not None else []
    parts += [whole(3, at_ms)] if at_ms else []
    parts += [whole(4, datatype)] if says_type else []
    parts += [whole(5, 1)] if is_historical else []
    if quality is not None:
        value_of = counted(2, whole(1, INT32) + whole(3, quality))
        parts.append(counted(9, counted(1, b"engUnit") + counted(2, whole(2, 1)) + counted(1, b"Quality") + value_of))
    field = _FIELDS.get(datatype, 10)
    if value is None:
        parts.append(whole(7, 1))
    elif isinstance(value, bytes):
        parts.append(counted(16, value))
    elif isinstance(value, str):
        parts.append(counted(15, value.encode()))
    elif field == 12:
        parts.append(varint(12 << 3 | 5) + struct.pack("<f", value))
    elif field == 13:
        parts.append(varint(13 << 3 | 1) + struct.pack("<d", value))
    else:
        assert isinstance(value, int)
        parts.append(whole(field, value % (1 << _BITS.get(datatype, 64))))
    return b"".join(parts)


def payload(metrics: Iterable[bytes] = (), *, at_ms: int = START_MS, seq: int | None = None) -> bytes:
    body = b"".join([whole(1, at_ms)] if at_ms else []) + b"".join(counted(2, one) for one in metrics)
    return body + (whole(3, seq) if seq is not None else b"")


def session(number: int) -> bytes:
    """Return the metric that a birth and a death of a node have in common."""
    return metric("bdSeq", number, datatype=INT64)


def message(
    topic: str,
    metrics: Sequence[bytes] = (),
    *,
    offset: int = 0,
    seq: int | None = None,
    at_ms: int = START_MS,
    partition: int = 0,
) -> MemoryRecord:
    """Return the record of a message; `topic` is without its namespace."""
    value = payload(metrics, at_ms=at_ms, seq=seq)
    headers = (("mqtt.topic", f"spBv1.0/{topic}".encode()),)
    return MemoryRecord("plant", partition, offset, at_ms, b"north/press", value, headers)
