"""What of the arena goes to the store: the unsaved records of a partition, as small as possible; and the handing over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from stream_detector.arena import Arena, Marked
from stream_detector.errors import StoreUnavailableError
from stream_detector.ports import SensorUpdate, StateStore
from stream_detector.readings import Int32Array

#: A record of so many bytes or fewer is written whole. Of 332 bytes, two spans cost Redis 8 us of CPU and its client 3.4, the
#: whole 4.5 and 0.8; of 2,456 bytes Redis has the same work with either, and its client twice as much with the whole.
WHOLE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Saving:
    """What the store lacks of a partition's state as it was at a position. It stays as it is while the arena goes on."""

    position: int
    marked: Marked
    updates: list[SensorUpdate]


@dataclass(frozen=True, slots=True)
class Handed:
    """A saving on its way to the store: its partition's state goes on from position `start`."""

    partition: int
    epoch: bytes
    start: int
    saving: Saving


@dataclass(frozen=True, slots=True)
class Answers:
    """What the store said to what it was handed, in order, as far as that went; and why it went no further."""

    verdicts: list[str]
    error: StoreUnavailableError | None = None


#: Begins a task beside whoever calls this; to call what is returned is to wait for its result.
Beside = Callable[[Callable[[], Answers]], Callable[[], Answers]]


def nothing() -> None:
    """Do nothing."""


def at_once(task: Callable[[], Answers]) -> Callable[[], Answers]:
    """Do a task now; a `Beside` for where nothing else is to be done meanwhile."""
    answers = task()
    return lambda: answers


def persist_all(store: StateStore, handed: Sequence[Handed], moved: Callable[[], None]) -> Answers:
    """Persist one partition after the other, up to the first that the store does not take."""
    verdicts: list[str] = []
    try:
        for one in handed:
            verdicts.append(store.persist(one.partition, one.epoch, one.start, one.saving.position, one.saving.updates))
            moved()
    except StoreUnavailableError as error:
        return Answers(verdicts, error)
    return Answers(verdicts)


def saving_of(arena: Arena, slots: Int32Array, position: int, whole_bytes: int = WHOLE_BYTES) -> Saving:
    """Take what the store lacks of these slots now that their partition's state includes every record before `position`."""
    return Saving(position, arena.marked(slots), unsaved_updates(arena, slots, whole_bytes))


def unsaved_updates(arena: Arena, slots: Int32Array, whole_bytes: int = WHOLE_BYTES) -> list[SensorUpdate]:
    """Return the updates that bring the store to the arena's state of these slots."""
    size = arena.records.dtype.itemsize
    if size > whole_bytes:
        return _changes(arena, slots)
    contents = arena.contents(slots)
    starts = range(0, len(contents), size)
    return [
        SensorUpdate(arena.sensors[slot], contents[start : start + size], None)
        for slot, start in zip(slots.tolist(), starts, strict=True)
    ]


def _changes(arena: Arena, slots: Int32Array) -> list[SensorUpdate]:
    """Return updates of what changed in these slots' records: their head, and the new rows."""
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
