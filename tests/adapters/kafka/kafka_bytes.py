"""Batches of records in bytes, and as the client parses them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.record import MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from stream_detector.adapters.kafka.client_patches.record_parser import KafkaRecord
from stream_detector.readings import Header

TP = TopicPartition("readings", 7)
ATTRIBUTES, LAST_OFFSET_DELTA, RECORDS = 21, 23, 61  # places in a batch
APPEND_TIME, TRANSACTIONAL, MARKER = 0x08, 0x10, 0x20
EPOCH = 5


@dataclass(frozen=True)
class Row:
    """A record as a producer sends it; `skip` offsets before it were compacted away."""

    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    skip: int = 0


def batch(base: int, rows: Sequence[Row], attributes: int = 0, codec: int = 0, producer: int = -1) -> bytes:
    """Return a batch as it lies in a log, from offset `base` on."""
    builder = DefaultRecordBatchBuilder(2, codec, False, producer, 0, 0, 1 << 30)
    delta = -1
    for row in rows:
        delta += 1 + row.skip
        headers = [(name, _plain(value)) for name, value in row.headers]
        builder.append(delta, row.time_ms, _plain(row.key), _plain(row.value), headers)
    content = bytearray(builder.build())
    struct.pack_into(">qii", content, 0, base, len(content) - 12, EPOCH)
    content[ATTRIBUTES + 1] |= attributes
    return sealed(content)


def old_batch(rows: Sequence[Row], magic: int, codec: int) -> bytearray:
    """Return records of format 0 or 1, from offset 0 on; compressed, they are one record that contains the others."""
    builder = MemoryRecordsBuilder(magic=magic, compression_type=codec, batch_size=1 << 20)
    for row in rows:
        builder.append(timestamp=row.time_ms, key=row.key, value=row.value)
    builder.close()
    return bytearray(builder.buffer())


def marker(base: int, producer: int, *, aborts: bool) -> bytes:
    """Return the end of a transaction."""
    key = struct.pack(">hh", 0, 0 if aborts else 1)
    return batch(base, [Row(0, key, b"")], TRANSACTIONAL | MARKER, producer=producer)


def sealed(content: bytearray) -> bytes:
    """Give a batch the checksum of its content."""
    struct.pack_into(">I", content, 17, calc_crc32c(bytes(content[ATTRIBUTES:])))
    return bytes(content)


def parsed(content: bytes) -> Any:  # noqa: ANN401 - the client ships no types
    """Return the client's batch, decompressed."""
    return iter(DefaultRecordBatch(content))


def ours(record: Any, tp: TopicPartition = TP) -> KafkaRecord:  # noqa: ANN401 - the same
    """Return a record of the client's as one of ours."""
    return KafkaRecord(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers))


class Long(bytes):
    """Bytes that a failing test does not print in full."""

    def __repr__(self) -> str:
        return f"bytes({len(self)})"


def _plain(content: bytes | None) -> bytes | None:
    return None if content is None else bytes(content)


SIZES = st.sampled_from([0, 1, 12, 62, 63, 64, 65, 127, 128, 8191, 8192, 16_383, 16_384, 70_000])
CONTENTS = st.none() | st.binary(max_size=100) | st.builds(Long, SIZES)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
TIMES = st.sampled_from([-1, 0]) | st.integers(10**12, 10**12 + 10_000) | st.integers(-(2**62), 2**62)
ROWS = st.builds(
    Row,
    TIMES,
    CONTENTS,
    CONTENTS,
    st.just(()) | st.lists(st.tuples(NAMES, CONTENTS), max_size=3),
    st.just(0) | st.sampled_from([1, 63, 8191, 8192, 100_000]),
)
#: The arguments of `batch`.
BATCHES = st.fixed_dictionaries(
    {
        "base": st.integers(0, 2**40),
        "rows": st.lists(ROWS, min_size=1, max_size=30),
        "attributes": st.sampled_from([0, APPEND_TIME]),
        "codec": st.sampled_from([0, 3]),
    }
)
