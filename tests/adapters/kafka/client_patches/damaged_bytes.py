"""Batches in bytes as they lie in a log, sound and damaged."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from itertools import dropwhile

import lz4.frame
import zstandard
from kafka import TopicPartition
from kafka.record import MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c

TP = TopicPartition("readings", 0)
CRC, ATTRIBUTES, RECORDS = 17, 21, 61  # places in a batch
LENGTH = range(8, 12)
BODY, LAST_OFFSET_DELTA = 70, 26
Change = Callable[[bytearray], object]


def batch(first: int, values: Sequence[bytes], headers: Sequence[tuple[str, bytes]] = (), codec: int = 0) -> bytes:
    """Return a batch of records as it is in a log, from offset `first` on."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 20)
    for value in values:
        builder.append(timestamp=1000, key=b"k", value=value, headers=list(headers))
    builder.close()
    content = bytearray(builder.buffer())
    if codec:
        compress = {1: gzip.compress, 3: lz4.frame.compress, 4: zstandard.compress}[codec]
        content[RECORDS:] = compress(bytes(content[RECORDS:]))
        struct.pack_into(">h", content, ATTRIBUTES, codec)
    struct.pack_into(">qi", content, 0, first, len(content) - 12)
    return bytes(sealed(content))


def sealed(content: bytearray) -> bytearray:
    """Give a batch the checksum of its content."""
    struct.pack_into(">I", content, CRC, calc_crc32c(bytes(content[ATTRIBUTES:])))
    return content


def changed(content: bytes, change: Change) -> bytes:
    mutable = bytearray(content)
    change(mutable)
    return bytes(mutable)


def flip(place: int) -> Change:
    def change(content: bytearray) -> None:
        content[place] ^= 0x55

    return change


def named(content: bytes, name: bytes) -> bytes:
    """Replace the header's name "xx" and mend the checksum."""
    return bytes(sealed(bytearray(content.replace(b"xx", name))))


def fetched(batches: Sequence[bytes], position: int) -> bytes:
    """Return what a broker returns: from the first batch that ends after the position, by its own account."""
    return b"".join(dropwhile(lambda content: DefaultRecordBatch(content).next_offset <= position, batches))


def three(change: Change = lambda _: None, codec: int = 0) -> list[bytes]:
    """Return batches of the offsets 0 to 3, 4 to 7 and 8 to 11, the one in the middle changed."""
    made = [batch(first, [b"%d" % place for place in range(first, first + 4)], codec=codec) for first in (0, 4, 8)]
    return [made[0], changed(made[1], change), made[2]]
