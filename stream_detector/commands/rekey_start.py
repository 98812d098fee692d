"""Where re-keying begins in a topic that it has not read yet, and how long the copy must keep what it gets."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.rekey.engine import EARLIEST, LATEST

#: Records are looked for in so many offsets at an end of a partition: markers and gaps use up offsets too.
_OFFSETS = 100


@dataclass(frozen=True, slots=True)
class Ages:
    """The times of a topic's records, in ms since 1970, by a record of each partition; None if there is none."""

    oldest_ms: int | None
    newest_ms: int | None


def look_up_ages(reader: KafkaReader) -> Ages:
    """Look at the first and the last records of each partition. Blocks, bounded; raises RetriableError."""
    bounds = reader.bounds_of(reader.partitions())
    oldest = [
        time for number, (first, end) in bounds.items() for time in _times(reader, number, first, min(end, first + _OFFSETS))
    ]
    newest = [
        time for number, (first, end) in bounds.items() for time in _times(reader, number, max(first, end - _OFFSETS), end)
    ]
    return Ages(min(oldest, default=None), max(newest, default=None))


def _times(reader: KafkaReader, number: int, start: int, stop: int) -> list[int]:
    records = reader.read(number, start, stop, _OFFSETS).records
    return [record.timestamp for record in records if record.timestamp >= 0]


def begin_ms(start: str | int, lookback_ms: int, ages: Ages, now_ms: int) -> int:
    """Return from which time on a new group of `run` re-keys, so that the windows before KAFKA__START can be filled.

    The look-back counts from the newest record, which may be old. EARLIEST if all is re-keyed.
    """
    if start == "earliest":
        return EARLIEST
    newest_ms = now_ms if ages.newest_ms is None else min(now_ms, ages.newest_ms)
    return max(0, (newest_ms if start == "latest" else int(start)) - lookback_ms)


def retention_ms(seconds: float, start_ms: int, ages: Ages, now_ms: int) -> int:
    """Return for how long a new topic keeps records. They keep their own times, so the age of the oldest is added."""
    oldest_ms = now_ms if ages.oldest_ms is None else ages.oldest_ms
    oldest_ms = oldest_ms if start_ms == EARLIEST else now_ms if start_ms == LATEST else max(oldest_ms, start_ms)
    return round(1000 * seconds) + max(0, now_ms - oldest_ms)
