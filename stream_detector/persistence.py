"""What of the arena goes to the store: the unsaved records of a partition, as small as possible."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from stream_detector.arena import Arena, Marked
from stream_detector.ports import SensorUpdate
from stream_detector.readings import Int32Array


@dataclass(frozen=True, slots=True)
class Saving:
    """What the store lacks of a partition's state as it was at a position. It stays as it is while the arena goes on."""

    position: int
    marked: Marked
    updates: list[SensorUpdate]


def saving_of(arena: Arena, slots: Int32Array, position: int) -> Saving:
    """Take what the store lacks of these slots now that their partition's state includes every record before `position`."""
    return Saving(position, arena.marked(slots), unsaved_updates(arena, slots))


def unsaved_updates(arena: Arena, slots: Int32Array) -> list[SensorUpdate]:
    """Return the updates that bring the store to the arena's state of these slots."""
    records = arena.records
    size, window_length = records.dtype.itemsize, records["rows"].shape[1]
    row_bytes = records["rows"].dtype.itemsize
    head_bytes = size - window_length * row_bytes
    contents = arena.contents(slots)
    stored = arena.stored_offset[slots]
    prefixes = stored.astype("<i8").tobytes()
    new_rows = arena.unsaved_rows[slots]
    is_whole = ((stored < 0) | (new_rows >= window_length)).tolist()
    ends = (records["header"]["count"][slots] % window_length).tolist()
    spans = cache(lambda end, rows: ((0, head_bytes), *_ring_spans(head_bytes, end, rows, window_length, row_bytes)))
    updates = []
    for number, (slot, whole, end, rows) in enumerate(zip(slots.tolist(), is_whole, ends, new_rows.tolist(), strict=True)):
        sensor, record = arena.sensors[slot], contents[number * size : (number + 1) * size]
        if whole:
            updates.append(SensorUpdate(sensor, record, None))
        else:
            updates.append(SensorUpdate(sensor, record, prefixes[8 * number : 8 * number + 8], spans(end, rows)))
    return updates


def _ring_spans(head_bytes: int, end: int, rows: int, window_length: int, row_bytes: int) -> tuple[tuple[int, int], ...]:
    """Return where the newest rows of a ring lie in the record; `end` is the ring's next position, `head_bytes` its begin."""
    start = end - rows
    parts = [(start, end)] if start >= 0 else [(0, end), (start + window_length, window_length)]
    return tuple((head_bytes + first * row_bytes, head_bytes + last * row_bytes) for first, last in parts if first < last)
