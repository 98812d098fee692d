"""Merges the records of several partitions in the order of their timestamps, as far as they have been read.

A sensor whose readings are spread over partitions is late wherever one partition is read ahead of another. So a record waits
until every partition that still has records to read has been read up to its timestamp. Timestamps within a partition may go
back; there the order of the partition holds. Contains no clock: the caller says when to wait no longer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stream_detector.ports import Chunk
from stream_detector.readings import Record


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in their merged order, and where each partition continues after them."""

    records: Sequence[Record]
    positions: Mapping[int, int]


@dataclass(slots=True)
class _Partition:
    """What has been read of a partition, and not been taken yet."""

    taken_to: int  # the position behind what was taken
    read_to: int
    records: list[Record] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)  # of the records: their timestamps, never going back
    newest: float = -math.inf

    def add(self, chunk: Chunk) -> None:
        for record in chunk.records:
            self.newest = max(self.newest, record.timestamp)
            self.records.append(record)
            self.keys.append(self.newest)
        self.read_to = chunk.stop

    def take(self, count: int) -> None:
        if count == len(self.records):
            self.taken_to = self.read_to
        elif count:
            self.taken_to = self.records[count - 1].offset + 1
        del self.records[:count], self.keys[:count]


class Merge:
    """The records that were read and wait for those of other partitions."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def begin(self, partition: int, position: int) -> None:
        """Read a partition from a position; forget what is waiting of it."""
        self._partitions[partition] = _Partition(position, position)

    def forget(self, partition: int) -> None:
        """Drop a partition."""
        self._partitions.pop(partition, None)

    def add(self, chunk: Chunk) -> None:
        """Add what was read of a partition that was begun; ignore any other."""
        if chunk.partition in self._partitions:
            self._partitions[chunk.partition].add(chunk)

    def positions(self) -> dict[int, int]:
        """Return where each partition continues after what was taken."""
        return {number: partition.taken_to for number, partition in self._partitions.items()}

    def waiting(self, partition: int) -> int:
        """Return how many records of a partition wait."""
        found = self._partitions.get(partition)
        return len(found.records) if found else 0

    def is_waiting(self) -> bool:
        """Return whether any record waits."""
        return any(partition.records for partition in self._partitions.values())

    def take(self, ends: Mapping[int, int], most: int, *, waits: bool = True) -> Batch | None:
        """Take what is in order, at most `most` records; None if no partition moves.

        A partition that has not been read up to its position in `ends` keeps back the records that are newer than its own.
        If the caller `waits` no longer, one without any record keeps back none.
        """
        bound = min((self._bound(number, partition, ends, waits) for number, partition in self._partitions.items()), default=0)
        free = {number: bisect_right(partition.keys, bound) for number, partition in self._partitions.items()}
        merged = sorted(
            (key, number, place)
            for number, count in free.items()
            for place, key in enumerate(self._partitions[number].keys[:count])
        )[:most]
        records = [self._partitions[number].records[place] for _, number, place in merged]
        before = self.positions()
        self._drop(free.keys(), merged)
        positions = {number: position for number, position in self.positions().items() if position > before[number]}
        return Batch(records, positions) if positions else None

    def _drop(self, numbers: Iterable[int], merged: Iterable[tuple[float, int, int]]) -> None:
        counts = dict.fromkeys(numbers, 0)
        for _, number, _ in merged:
            counts[number] += 1
        for number, count in counts.items():
            self._partitions[number].take(count)

    @staticmethod
    def _bound(number: int, partition: _Partition, ends: Mapping[int, int], waits: bool) -> float:
        """Return up to which timestamp a partition lets others go on."""
        is_read = partition.read_to >= ends.get(number, 0)
        if is_read or not (waits or partition.records):
            return math.inf
        return partition.newest
