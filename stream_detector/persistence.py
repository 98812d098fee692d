"""What of the arena goes to the store: the unsaved records of a partition, as small as possible."""

from __future__ import annotations

import struct

from stream_detector.arena import Arena
from stream_detector.ports import SensorUpdate
from stream_detector.readings import Int32Array


def unsaved_updates(arena: Arena, slots: Int32Array) -> list[SensorUpdate]:
    """Return the updates that bring the store to the arena's state of these slots."""
    records = arena.records
    window_length = records["rows"].shape[1]
    row_bytes = records["rows"].dtype.itemsize
    head_bytes = records.dtype.itemsize - window_length * row_bytes
    rows = arena.unsaved_rows[slots].tolist()
    stored = arena.stored_offset[slots].tolist()
    ends = (records["header"]["count"][slots] % window_length).tolist()
    return [
        SensorUpdate(arena.sensors[slot], records[slot].tobytes(), None)
        if stored_offset < 0 or new_rows >= window_length
        else SensorUpdate(
            arena.sensors[slot],
            records[slot].tobytes(),
            struct.pack("<q", stored_offset),
            ((0, head_bytes), *_ring_spans(head_bytes, end, new_rows, window_length, row_bytes)),
        )
        for slot, new_rows, stored_offset, end in zip(slots.tolist(), rows, stored, ends, strict=True)
    ]


def _ring_spans(head_bytes: int, end: int, rows: int, window_length: int, row_bytes: int) -> tuple[tuple[int, int], ...]:
    """Return where the newest rows of a ring lie in the record; `end` is the ring's next position, `head_bytes` its begin."""
    start = end - rows
    parts = [(start, end)] if start >= 0 else [(0, end), (start + window_length, window_length)]
    return tuple((head_bytes + first * row_bytes, head_bytes + last * row_bytes) for first, last in parts if first < last)
