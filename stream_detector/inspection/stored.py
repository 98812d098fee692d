"""Looks through the stored state of all sensors: a bounded number of them, for a bounded time, a page at a time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stream_detector.detection.silence import PartitionSilence, read_note
from stream_detector.inspection.judge import Judge
from stream_detector.inspection.learning_words import LearningWords
from stream_detector.inspection.sensors import Judged, SensorStatus, sensors_of
from stream_detector.ports import PartitionMeta, Scanned

_PAGE = 1_000
#: So many times the sensors that the result names are kept before the others are dropped.
_KEPT = 4
#: Partitions are looked for by number, until so many in a row have no state.
_MOST_MISSING = 32


class StateReader(Protocol):
    """The part of ports.StateStore that only reads."""

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read a partition's metadata; None if there is none."""

    def load(self, partition: int, epoch: bytes, sensors: list[str]) -> list[bytes | None]:
        """Read the state of sensors, in order; None where absent or of another epoch."""

    def scan(self, partition: int, epoch: bytes, cursor: str, count: int) -> Scanned:
        """Read some of a partition's stored sensors."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is looked at."""

    sensors: int = 100_000
    seconds: float = 10.0
    shown: int = 1_000  # sensors that the result names


@dataclass(frozen=True, slots=True)
class Note:
    """What was committed with a position in Kafka: it may know of more silences than the stored note."""

    position: int
    text: str


@dataclass(frozen=True, slots=True)
class StoredSensors:
    """What the store holds."""

    persisted: Mapping[int, int]  # position of each partition; negative: its state is being rebuilt
    counts: Mapping[str, int]  # sensors by state
    unknown: int  # sensors that the model does not know
    sensors: tuple[SensorStatus, ...]  # the first ones, what needs attention first
    is_cut: bool  # there are more sensors than were looked at
    unreadable: int = 0  # records of another layout than their partition says
    foreign_layouts: tuple[str, ...] = ()  # layouts that this program cannot read
    fits_model: bool = True  # all of it is of the layout of the model
    learning: LearningWords | None = None  # what a detector that learns a model left
    newest: Judged | None = None  # by which model the newest of all readings was judged; None: not known

    @property
    def total(self) -> int:
        """How many sensors were looked at."""
        return sum(self.counts.values())


def metas_of(store: StateReader) -> dict[int, PartitionMeta]:
    """Return the metadata of all partitions with stored state. Blocks; raises StoreUnavailableError."""
    found: dict[int, PartitionMeta] = {}
    number = 0
    while number <= max(found, default=-1) + _MOST_MISSING:
        meta = store.meta(number)
        if meta is not None:
            found[number] = meta
        number += 1
    return found


@dataclass(slots=True)
class _Tally:
    shown: int
    counts: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    unreadable: int = 0
    total: int = 0
    newest: Judged | None = None
    _found: list[SensorStatus] = field(default_factory=list)

    def add(self, found: list[SensorStatus], unreadable: int) -> None:
        self.counts.update(one.state for one in found)
        self.unknown += sum(not one.is_known for one in found)
        self.unreadable += unreadable
        self.total += len(found)
        known = (self.newest, *(one.judged for one in found))
        self.newest = max((one for one in known if one and one.model_tag), default=None)
        self._found += found
        if len(self._found) > _KEPT * self.shown + _PAGE:
            self._found = self.first()

    def first(self) -> list[SensorStatus]:
        return heapq.nsmallest(self.shown, self._found, key=lambda one: one.order)


@dataclass(slots=True)
class _Looked:
    """A partition that is looked at."""

    number: int
    judge: Judge
    silences: list[PartitionSilence]
    pages: Iterator[Mapping[str, bytes]]
    seen: set[str] = field(default_factory=set)  # a scan may find a sensor twice


def look_through(
    store: StateReader,
    judge_of: Callable[[str], Judge | None],
    notes: Mapping[int, Note],
    bounds: Bounds,
    now: Callable[[], float],
) -> StoredSensors:
    """Look through the stored sensors of all partitions. Blocks for about `bounds.seconds`; raises StoreUnavailableError.

    `judge_of` returns the judge of a layout, None for one that this program cannot read.
    """
    until, tally, is_cut = now() + bounds.seconds, _Tally(bounds.shown), False
    metas = metas_of(store)
    judges = {number: judge_of(meta.layout) for number, meta in metas.items()}
    parts = []
    for number, meta in metas.items():
        judge, known = judges[number], (read_note(meta.note, meta.next_position), _committed(notes.get(number)))
        if judge is not None and meta.next_position >= 0:
            silences = [note for note in known if note is not None]
            parts.append(_Looked(number, judge, silences, _pages(store, number, meta.epoch)))
    for part, page in _in_turn(parts):
        if is_cut := now() > until or tally.total >= bounds.sensors:
            break
        fresh = {name: record for name, record in page.items() if name not in part.seen}
        part.seen.update(fresh)
        tally.add(*sensors_of(part.number, fresh, part.judge, part.silences))
    return StoredSensors(
        persisted={number: meta.next_position for number, meta in metas.items()},
        counts=dict(tally.counts),
        unknown=tally.unknown,
        sensors=tuple(tally.first()),
        is_cut=is_cut,
        unreadable=tally.unreadable,
        newest=tally.newest,
        foreign_layouts=tuple(sorted({metas[number].layout for number, judge in judges.items() if judge is None})),
        fits_model=all(judge is None or judge.model is not None for judge in judges.values()),
    )


def _in_turn(parts: Sequence[_Looked]) -> Iterator[tuple[_Looked, Mapping[str, bytes]]]:
    """Yield pages of all partitions in turn, so that a look that ends early has seen something of each."""
    left = list(parts)
    while left:
        for part in tuple(left):
            page = next(part.pages, None)
            if page is None:
                left.remove(part)
            else:
                yield part, page


def stored_names(
    store: StateReader, metas: Mapping[int, PartitionMeta], most: int, now: Callable[[], float], seconds: float
) -> list[str]:
    """Return names of stored sensors, at most so many, looked for as long. Blocks; raises StoreUnavailableError."""
    until, found = now() + seconds, dict[str, None]()
    for number, meta in metas.items():
        for page in _pages(store, number, meta.epoch):
            found.update(dict.fromkeys(page))
            if len(found) >= most or now() > until:
                return list(found)
    return list(found)


def _pages(store: StateReader, partition: int, epoch: bytes) -> Iterator[Mapping[str, bytes]]:
    cursor = ""
    while True:
        page = store.scan(partition, epoch, cursor, _PAGE)
        yield page.records
        cursor = page.cursor
        if not cursor:
            return


def _committed(note: Note | None) -> PartitionSilence | None:
    return None if note is None else read_note(note.text, note.position)
