"""Copies a partition's unsaved records from the arena for the store, as compactly as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stream_detector.ports import SensorUpdate, Updates
from stream_detector.readings import Int32Array
from stream_detector.state.arena import Arena, SlotProgress
from stream_detector.state.codec.encode import encode, encode_uncompressed
from stream_detector.state.codec.record_format import UNCOMPRESSED

#: A record of at most this many bytes in memory is written in full, compressed; only the changed parts of a larger one are.
WHOLE_BYTES = 1024
_UNCOMPRESSED_BYTE = bytes([UNCOMPRESSED])


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """A partition's unsaved state as of a position. Later changes of the arena do not affect it."""

    position: int
    progress: SlotProgress
    updates: Updates


def take_snapshots(
    arena: Arena, parts: Sequence[tuple[Int32Array, int]], whole_bytes: int = WHOLE_BYTES
) -> list[StateSnapshot]:
    """Copy the unsaved state of slots. `parts` has, for each partition, its slots and the position of their state.

    One call serves all partitions, because encoding costs far more per call than per sensor.
    """
    if arena.records.itemsize > whole_bytes:
        return [StateSnapshot(position, arena.progress(slots), _changes(arena, slots)) for slots, position in parts]
    slots = np.concatenate([slots for slots, _ in parts]) if parts else np.zeros(0, np.int32)
    stored = encode(arena.copy_records(slots))
    named = list(zip([arena.sensors[slot] for slot in slots.tolist()], stored, strict=True))
    ends = np.cumsum([len(slots) for slots, _ in parts]).tolist()
    return [
        StateSnapshot(position, arena.progress(slots), Updates(dict(named[end - len(slots) : end])))
        for (slots, position), end in zip(parts, ends, strict=True)
    ]


def unsaved_updates(arena: Arena, slots: Int32Array, whole_bytes: int = WHOLE_BYTES) -> Updates:
    """Return the updates that bring the store to the arena's state of these slots."""
    return take_snapshots(arena, [(slots, 0)], whole_bytes)[0].updates


def _changes(arena: Arena, slots: Int32Array) -> Updates:
    """Return updates with the changed parts of these slots' records: head and new rows, or everything for a new record."""
    records = arena.records
    size, window_length = 1 + records.itemsize, records["rows"].shape[1]
    row_bytes = records["rows"].dtype.itemsize
    head_bytes = size - window_length * row_bytes
    stored, contents = arena.stored_time_ms[slots], encode_uncompressed(arena.copy_records(slots))
    prefixes = stored.astype("<i8").tobytes()
    new_rows = arena.unsaved_rows[slots]
    is_whole = ((stored < 0) | (new_rows >= window_length)).tolist()
    ends = (records["header"]["count"][slots] % window_length).tolist()
    spans = cache(lambda end, rows: ((0, head_bytes), *_ring_spans(head_bytes, end, rows, window_length, row_bytes)))
    whole, changed = dict[str, bytes](), []
    for number, (slot, all_of_it, end, rows) in enumerate(zip(slots.tolist(), is_whole, ends, new_rows.tolist(), strict=True)):
        sensor, record = arena.sensors[slot], contents[number * size : (number + 1) * size]
        if all_of_it:
            whole[sensor] = record
        else:
            prefix = _UNCOMPRESSED_BYTE + prefixes[8 * number : 8 * number + 8]
            changed.append(SensorUpdate(sensor, record, prefix, spans(end, rows)))
    return Updates(whole, changed)


def _ring_spans(head_bytes: int, end: int, rows: int, window_length: int, row_bytes: int) -> tuple[tuple[int, int], ...]:
    """Return where the newest rows of a ring lie in the record; `end` is the ring's next row, `head_bytes` its start."""
    start = end - rows
    parts = [(start, end)] if start >= 0 else [(0, end), (start + window_length, window_length)]
    return tuple((head_bytes + first * row_bytes, head_bytes + last * row_bytes) for first, last in parts if first < last)
