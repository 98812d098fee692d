"""Reads batches of records as a broker returns them, and skips damaged ones.

Defects: the client raises on a batch that is damaged or whose header names are not UTF-8, and then loops forever over the
records it had parsed. It bounds neither the length that a batch claims nor its decompressed size. So it gets its batches from
DeliverableBatches, which never raises because of their content: it delivers everything before the damage, then skips what
nobody can read. Seen in kafka-python 3.0.12; no upstream issue found.
"""

# ruff: noqa: SLF001 - the client has no public way to do this
# ruff: noqa: ANN401 - the client ships no types

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lz4.frame
import zstandard
from kafka import TopicPartition
from kafka.errors import CorruptRecordError, UnsupportedCodecError

from stream_detector.adapters.kafka.client_patches.record_parser import KafkaRecord, legacy, unpacked

#: A batch of up to a megabyte may decompress to gigabytes. This is the limit for one batch and for one fetch.
MAXIMUM_UNCOMPRESSED_BYTES = 64 * 1024 * 1024
#: The record format with transactions, whose batches state where they end.
V2 = 2
_GZIP, _LZ4, _ZSTD = 1, 3, 4  # snappy compresses to a twentieth at best
_BASE_OFFSET = struct.Struct(">q")


@dataclass(frozen=True, slots=True)
class Damage:
    """Offsets from `start` up to, not including, `stop` that cannot be read. `may_recover`: another fetch may return them."""

    start: int
    stop: int
    reason: str
    may_recover: bool


#: Returns whether to skip damage. Otherwise the fetch ends before it, and it is fetched again.
Skips = Callable[[Damage], bool]


class DeliverableBatches:
    """What one fetch returned of a partition, in place of the client's MemoryRecords.

    `position` is the start of the fetch, then the position after the batches whose records were returned.
    `log_end` returns the end of the log that the broker named, None if it named none.
    """

    def __init__(self, records: Any, position: int, log_end: Callable[[], int | None], skips: Skips) -> None:
        self._records = records
        self.position = self._start = position
        self._log_end = log_end
        self._skips = skips
        self._has_ended = False
        self._bytes_left = MAXIMUM_UNCOMPRESSED_BYTES

    def next_batch(self) -> Any:
        """Return the next batch; None at the end, or before damage that is not to be skipped yet."""
        if self._has_ended or self._bytes_left <= 0:
            return None  # the rest is fetched again
        batch, flaw = self._parsed()
        while flaw and self._continues_without():
            batch, flaw = self._parsed()
        if flaw:
            self._stop_at_damage(batch, flaw)
            return None
        if batch is not None and batch.magic >= V2:
            self._start, self.position = self.position, batch.next_offset
        return batch

    def records(self, batch: Any, tp: TopicPartition) -> Iterator[KafkaRecord]:
        """Yield the records of the batch that was returned last; skip the rest of a batch that nobody can decode."""
        is_v2 = batch.magic >= V2
        start = self._start if is_v2 else self.position
        try:
            if is_v2:
                self._decompress(batch)
            for record in unpacked(batch, tp) if is_v2 else legacy(batch, tp):
                start = max(start, record.offset + 1)
                yield record
        except UnsupportedCodecError:
            raise  # the operator has to install the codec
        except Exception as error:  # noqa: BLE001 - of four decompressors; none may stop the stream
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            stop = batch.next_offset if is_v2 else max(start + 1, self._following() or 0)
            self._skips(Damage(start, stop, reason, may_recover=False))
            start = stop
        if not is_v2:  # the last offset that it states may be wrong
            self.position = start

    def _parsed(self) -> tuple[Any, str]:
        """Return the next batch and what is wrong with it; "" if nothing is."""
        at = self._records._next_slice
        try:
            batch = self._records.next_batch()
            if batch is None:
                return None, ""
            return batch, self._flaw(batch)
        except (CorruptRecordError, ValueError, IndexError, struct.error) as error:
            if self._records._next_slice is at:
                self._records._next_slice = None  # the client does not get past it
            return None, f"no batch of records: {error}"

    def _flaw(self, batch: Any) -> str:
        """Return what is wrong with a batch. Neither its format nor its offsets are part of its checksum."""
        if not 0 <= batch.magic <= V2 or not batch.validate_crc():
            return "its checksum is wrong"
        log_end = self._log_end()
        # The broker names the end from before its read, so a batch that follows without a gap may lie beyond it.
        leaps = log_end is not None and batch.base_offset > self.position and batch.last_offset >= log_end
        if batch.magic >= V2 and (leaps or batch.last_offset < self.position):
            return f"its offsets {batch.base_offset} to {batch.last_offset} are impossible"
        return ""

    def _stop_at_damage(self, batch: Any, flaw: str) -> None:
        """End the fetch before the damage, or after it if it is skipped.

        The damaged batch may have been the end of an aborted transaction, so the client must start a new fetch after it.
        """
        self._has_ended = True
        stop = self._stop(batch)
        if self._skips(Damage(self.position, stop, flaw, may_recover=True)):
            self.position = stop

    def _continues_without(self) -> bool:
        """Return whether the next batch contains the position: then nobody needs the damaged one."""
        following = self._following()
        return following is not None and following <= self.position

    def _stop(self, batch: Any) -> int:
        """Return the end of a damaged batch: its stated end, unless the next batch or the log's end contradicts it."""
        claimed = self.position + 1
        if batch is not None and batch.magic >= V2:
            is_here = batch.base_offset <= self.position < batch.next_offset
            claimed = batch.next_offset if is_here else self.position + 1 + batch.last_offset_delta
        limits = [limit for limit in (self._following(), self._log_end()) if limit is not None and limit > self.position]
        return max(self.position + 1, min([claimed, *limits]))

    def _following(self) -> int | None:
        """Return the first offset of the batch after the one that was parsed; None if the fetch returned no more."""
        following = self._records._next_slice
        return None if following is None else int(_BASE_OFFSET.unpack_from(following)[0])

    def _decompress(self, batch: Any) -> None:
        """Decompress a batch; raise ValueError if it is too large."""
        codec = batch.compression_type
        if codec in (_GZIP, _LZ4, _ZSTD):
            data = _decompressed(codec, memoryview(batch._buffer)[batch._pos :], MAXIMUM_UNCOMPRESSED_BYTES + 1)
            self._bytes_left -= len(data)
            if len(data) > MAXIMUM_UNCOMPRESSED_BYTES:
                msg = f"it decompresses to more than {MAXIMUM_UNCOMPRESSED_BYTES} bytes"
                raise ValueError(msg)
            batch._buffer, batch._pos, batch._decompressed = data, 0, True
        iter(batch)  # snappy is left to the client


def _decompressed(codec: int, data: Any, limit: int) -> bytes:
    """Return at most `limit` decompressed bytes."""
    if codec == _LZ4:
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=limit))
    source = io.BytesIO(data)
    if codec == _GZIP:
        with gzip.GzipFile(fileobj=source) as stream:
            return stream.read(limit)
    with zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as reader:
        return reader.read(limit)
