"""What of the arena goes to the store: the unsaved records of a partition, as small as possible; and the handing over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import SensorUpdate, StateStore, StoreVerdict, Updates
from stream_detector.readings import Int32Array
from stream_detector.state.arena import Arena, Marked
from stream_detector.state.codec.encode import encode, encode_uncompressed
from stream_detector.state.codec.record_format import UNCOMPRESSED

#: A record of so many bytes in memory or fewer is written whole, and compact. Of a larger one what changed is written.
WHOLE_BYTES = 1024
_UNCOMPRESSED_BYTE = bytes([UNCOMPRESSED])


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """What the store lacks of a partition's state as it was at a position. It stays as it is while the arena goes on."""

    position: int
    marked: Marked
    updates: Updates


@dataclass(frozen=True, slots=True)
class PersistRequest:
    """A saving on its way to the store: its partition's state goes on from position `start`."""

    partition: int
    epoch: bytes
    start: int
    saving: StateSnapshot


@dataclass(frozen=True, slots=True)
class PersistResults:
    """What the store said to what it was handed, in order, as far as that went; and why it went no further."""

    verdicts: list[StoreVerdict]
    error: StoreUnavailableError | None = None


def persist_all(store: StateStore, handed: Sequence[PersistRequest], on_progress: Callable[[], None]) -> PersistResults:
    """Persist one partition after the other, up to the first that the store does not take."""
    verdicts: list[StoreVerdict] = []
    try:
        for one in handed:
            verdicts.append(store.persist(one.partition, one.epoch, one.start, one.saving.position, one.saving.updates))
            on_progress()
    except StoreUnavailableError as error:
        return PersistResults(verdicts, error)
    return PersistResults(verdicts)


def savings_of(arena: Arena, parts: Sequence[tuple[Int32Array, int]], whole_bytes: int = WHOLE_BYTES) -> list[StateSnapshot]:
    """Take what the store lacks of slots, each array those of a partition whose state includes every record before a position.

    All at once: to make records compact costs far more for a call than for a sensor.
    """
    if arena.records.itemsize > whole_bytes:
        return [StateSnapshot(position, arena.marked(slots), _changes(arena, slots)) for slots, position in parts]
    slots = np.concatenate([slots for slots, _ in parts]) if parts else np.zeros(0, np.int32)
    stored = encode(arena.taken(slots))
    named = list(zip([arena.sensors[slot] for slot in slots.tolist()], stored, strict=True))
    ends = np.cumsum([len(slots) for slots, _ in parts]).tolist()
    return [
        StateSnapshot(position, arena.marked(slots), Updates(dict(named[end - len(slots) : end])))
        for (slots, position), end in zip(parts, ends, strict=True)
    ]


def unsaved_updates(arena: Arena, slots: Int32Array, whole_bytes: int = WHOLE_BYTES) -> Updates:
    """Return the updates that bring the store to the arena's state of these slots."""
    return savings_of(arena, [(slots, 0)], whole_bytes)[0].updates


def _changes(arena: Arena, slots: Int32Array) -> Updates:
    """Return updates of what changed in these slots' records: their head, and the new rows; of new ones, all."""
    records = arena.records
    size, window_length = 1 + records.itemsize, records["rows"].shape[1]
    row_bytes = records["rows"].dtype.itemsize
    head_bytes = size - window_length * row_bytes
    stored, contents = arena.stored_time_ms[slots], encode_uncompressed(arena.taken(slots))
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
    """Return where the newest rows of a ring lie in the record; `end` is the ring's next position, `head_bytes` its begin."""
    start = end - rows
    parts = [(start, end)] if start >= 0 else [(0, end), (start + window_length, window_length)]
    return tuple((head_bytes + first * row_bytes, head_bytes + last * row_bytes) for first, last in parts if first < last)
