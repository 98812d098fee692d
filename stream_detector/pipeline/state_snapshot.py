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
    if arena.layout.itemsize > whole_bytes:
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
    """Return updates with the changed parts of these slots' records: head and new rows, or everything for a new record.

    The rules' state, the last part, is written only to records that have one, or had one since they were loaded.
    """
    records = arena.copy_records(slots)
    size, window_length = 1 + records.itemsize, records["rows"].shape[1]
    row_bytes, rules_at = records["rows"].dtype.itemsize, 1 + arena.records.itemsize
    head_bytes = rules_at - window_length * row_bytes
    stored, contents = arena.stored_time_ms[slots], encode_uncompressed(records)
    arena.has_stored_rules[slots] |= arena.rules.have_any(slots)
    stops = np.where(arena.has_stored_rules[slots], size, rules_at).tolist()
    prefixes = stored.astype("<i8").tobytes()
    new_rows = arena.unsaved_rows[slots]
    is_whole = ((stored < 0) | (new_rows >= window_length)).tolist()
    ends = (records["header"]["count"] % window_length).tolist()

    @cache
    def spans(end: int, rows: int, stop: int) -> tuple[tuple[int, int], ...]:
        of_rules = ((rules_at, stop),) if stop > rules_at else ()
        return ((0, head_bytes), *_ring_spans(head_bytes, end, rows, window_length, row_bytes), *of_rules)

    whole, changed = dict[str, bytes](), []
    parts = zip(slots.tolist(), is_whole, ends, new_rows.tolist(), stops, strict=True)
    for number, (slot, all_of_it, end, rows, stop) in enumerate(parts):
        sensor, record = arena.sensors[slot], contents[number * size : number * size + stop]
        if all_of_it:
            whole[sensor] = record
        else:
            prefix = _UNCOMPRESSED_BYTE + prefixes[8 * number : 8 * number + 8]
            changed.append(SensorUpdate(sensor, record, prefix, spans(end, rows, stop)))
    return Updates(whole, changed)


def _ring_spans(head_bytes: int, end: int, rows: int, window_length: int, row_bytes: int) -> tuple[tuple[int, int], ...]:
    """Return where the newest rows of a ring lie in the record; `end` is the ring's next row, `head_bytes` its start."""
    start = end - rows
    parts = [(start, end)] if start >= 0 else [(0, end), (start + window_length, window_length)]
    return tuple((head_bytes + first * row_bytes, head_bytes + last * row_bytes) for first, last in parts if first < last)
