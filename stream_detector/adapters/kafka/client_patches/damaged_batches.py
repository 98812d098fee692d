"""Batches of records as they come from a broker: those that can be read, and a verdict on those that cannot.

The client raises on a batch that is damaged, or whose header names are not UTF-8, and then spins for ever over what it had
parsed. So it is given its batches through DeliverableBatches, which never raises for what the bytes hold: what can be read of a
batch is read, what cannot is passed over once it is given up, and everything before it is delivered first.
"""

# ruff: noqa: SLF001 - the client bounds neither what it takes for a batch nor what it decompresses
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

#: A batch of up to a megabyte may decompress to gigabytes: this much is taken, of one batch and of what one fetch returned.
MAXIMUM_UNCOMPRESSED_BYTES = 64 * 1024 * 1024
#: The format that has transactions, and its own account of where a batch ends.
V2 = 2
_GZIP, _LZ4, _ZSTD = 1, 3, 4  # snappy makes nothing smaller than a twentieth
_BASE_OFFSET = struct.Struct(">q")


@dataclass(frozen=True, slots=True)
class Damage:
    """Offsets from `start` up to, not including, `stop` that cannot be read. `may_pass`: another fetch may bring them whole."""

    start: int
    stop: int
    reason: str
    may_pass: bool


#: Says whether to pass over a damage; else the fetch ends before it, and what is there is fetched again.
GivesUp = Callable[[Damage], bool]


class DeliverableBatches:
    """What one fetch returned of a partition, in place of the client's MemoryRecords.

    `position` is where it starts, and then where what follows those batches starts that were returned, and whose records were.
    `log_end` is the position that the broker named as the log's end, None if it named none.
    """

    def __init__(self, records: Any, position: int, log_end: Callable[[], int | None], gives_up: GivesUp) -> None:
        self._records = records
        self.position = self._start = position
        self._log_end = log_end
        self._gives_up = gives_up
        self._has_ended = False
        self._bytes_left = MAXIMUM_UNCOMPRESSED_BYTES

    def next_batch(self) -> Any:
        """Return the next batch; None at the end, and before a damage that is not given up yet."""
        if self._has_ended or self._bytes_left <= 0:
            return None  # the rest is fetched again
        batch, flaw = self._parsed()
        while flaw and self._continues_without():
            batch, flaw = self._parsed()
        if flaw:
            self._pass_over(batch, flaw)
            return None
        if batch is not None and batch.magic >= V2:
            self._start, self.position = self.position, batch.next_offset
        return batch

    def records(self, batch: Any, tp: TopicPartition) -> Iterator[KafkaRecord]:
        """Give the records of the batch that was returned last; the rest of one that no one can decode is passed over."""
        is_v2 = batch.magic >= V2
        start = self._start if is_v2 else self.position
        try:
            if is_v2:
                self._decompress(batch)
            for record in unpacked(batch, tp) if is_v2 else legacy(batch, tp):
                start = max(start, record.offset + 1)
                yield record
        except UnsupportedCodecError:
            raise  # the operator has to install it
        except Exception as error:  # noqa: BLE001 - of four decompressors; none may stop the stream
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            stop = batch.next_offset if is_v2 else max(start + 1, self._following() or 0)
            self._gives_up(Damage(start, stop, reason, may_pass=False))
            start = stop
        if not is_v2:  # what it says of its last offset need not be true
            self.position = start

    def _parsed(self) -> tuple[Any, str]:
        """Return the next batch, and what is wrong with it."""
        at = self._records._next_slice
        try:
            batch = self._records.next_batch()
            if batch is None:
                return None, ""
            return batch, self._flaw(batch)
        except (CorruptRecordError, ValueError, IndexError, struct.error) as error:
            if self._records._next_slice is at:
                self._records._next_slice = None  # where the client does not get past
            return None, f"no batch of records: {error}"

    def _flaw(self, batch: Any) -> str:
        """Say what is wrong with a batch. Neither its format nor its offsets are part of its checksum."""
        if not 0 <= batch.magic <= V2 or not batch.validate_crc():
            return "its checksum is wrong"
        log_end = self._log_end()
        # The broker names the end as it was before it read, so a batch that follows without a gap may lie beyond it.
        leaps = log_end is not None and batch.base_offset > self.position and batch.last_offset >= log_end
        if batch.magic >= V2 and (leaps or batch.last_offset < self.position):
            return f"its offsets {batch.base_offset} to {batch.last_offset} cannot be"
        return ""

    def _pass_over(self, batch: Any, flaw: str) -> None:
        """End here; if the damage is given up, with the position behind it.

        The damaged batch may have been the end of an aborted transaction, so the client must begin a new fetch after it.
        """
        self._has_ended = True
        stop = self._stop(batch)
        if self._gives_up(Damage(self.position, stop, flaw, may_pass=True)):
            self.position = stop

    def _continues_without(self) -> bool:
        """Say whether the next batch has the position: then the damaged one has nothing that is asked for."""
        following = self._following()
        return following is not None and following <= self.position

    def _stop(self, batch: Any) -> int:
        """Return the end of a damaged batch: by its own account, if the next batch and the log's end do not contradict."""
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
        """Decompress a batch; raise ValueError if that is too much."""
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
    """Decompress at most so many bytes."""
    if codec == _LZ4:
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=limit))
    source = io.BytesIO(data)
    if codec == _GZIP:
        with gzip.GzipFile(fileobj=source) as stream:
            return stream.read(limit)
    with zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as reader:
        return reader.read(limit)
