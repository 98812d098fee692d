"""Holds partitions whose records cannot be decoded until the schema registry answers, and resumes them by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from stream_detector.errors import RegistryUnavailableError
from stream_detector.logs import OutageLog
from stream_detector.pipeline.backpressure import Backpressure
from stream_detector.pipeline.partition import Partition
from stream_detector.ports import Chunk, Decoder, Source
from stream_detector.readings import Decoded

logger = logging.getLogger(__name__)

#: The registry is asked again after this long.
_RETRY_SECONDS = 1.0


class Undecoded:
    """Decodes the records of chunks. While that is not possible, the chunks are dropped and will be read again.

    A held partition is paused, at the position that its state has: nothing of it is appended or committed.
    """

    def __init__(self, source: Source, decoder: Decoder, backpressure: Backpressure, clock: Callable[[], float]) -> None:
        self._source, self._decoder = source, decoder
        self._backpressure = backpressure
        self._clock = clock
        self._held: set[int] = set()
        self._retry_at = 0.0
        self._outage = OutageLog(logger, clock, "the schema registry answers: reading continues")

    @property
    def held(self) -> frozenset[int]:
        """The partitions that are not read."""
        return frozenset(self._held)

    def decode(self, chunks: Sequence[Chunk]) -> tuple[list[Chunk], Decoded]:
        """Decode chunks that continue their partitions; return those that could be decoded, and what they hold."""
        try:
            decoded = self._decode(chunks)
        except RegistryUnavailableError:
            usable = [chunk for chunk in chunks if self._holds_back(chunk) is None]
            return usable, self._decode(usable)  # the schemas of these are known by now
        if len(decoded) and not self._held:
            self._outage.ended()
        return list(chunks), decoded

    def _decode(self, chunks: Sequence[Chunk]) -> Decoded:
        return self._decoder.decode([record for chunk in chunks for record in chunk.records])

    def _holds_back(self, chunk: Chunk) -> RegistryUnavailableError | None:
        """Return why a chunk cannot be decoded now, and hold its partition; None if it can be."""
        try:
            self._decode([chunk])
        except RegistryUnavailableError as error:
            self._outage.failed("holding partition %d until the schema registry answers: %s", chunk.partition, error)
            self._source.seek(chunk.partition, chunk.start)
            self._source.pause([chunk.partition])
            self._held.add(chunk.partition)
            self._retry_at = self._clock() + _RETRY_SECONDS
            return error
        return None

    def resume(self, ready: Mapping[int, Partition]) -> None:
        """Read held partitions again, if it is time to ask the registry again. Call it before a poll.

        A partition that is being restored, or that waits for the store, is resumed by what restores or holds it.
        """
        if self._held and self._clock() >= self._retry_at:
            for number in self._held & ready.keys() - self._backpressure.held:
                self._source.seek(number, ready[number].next)
            self._held.clear()
