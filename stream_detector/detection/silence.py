"""Finds the sensors that fall silent, and those that return.

A sensor is *due* once its partition has been active (state/partition_clock.py) for the sensor's limit since it was last heard.
That depends on the log alone. When it is announced does not: all sensors that are due up to a second of active time are
announced together, and that second is remembered, the partition's *announced second*. So one number tells of every sensor
whether its silence is announced, and it is committed together with the events that it stands for (docs/delivery.md).

While a partition is idle as a whole, its clock stands still. Then the pipeline says for how long it has been idle, and a *mark*
remembers what was announced: up to which second, for the readings before a position of the log.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field

import numpy as np

from stream_detector.detection.input_silence import InputSilence
from stream_detector.places import offsets_of
from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.state.arena import NEVER_DUE
from stream_detector.state.partition_clock import FIRST_ACTIVE_MS, PartitionClock

#: Any sensor without a reading for this long is silent: a week. Less than FIRST_ACTIVE_MS.
_LONGEST_MS = 7 * 86_400_000
#: As many marks fit into the note of a committed position, with room to spare.
MAXIMUM_MARKS = 32
_NOTE_VERSION, _MARK_PARTS = "1", 2


@dataclass(frozen=True, slots=True)
class SilenceRules:
    """For how long a sensor may be without a reading: the longest of these."""

    least_ms: int = 60_000
    intervals: float = 5.0  # times its own interval
    pauses: float = 3.0  # times its own usual longest pause
    least_readings: int = 16  # before that many, the sensor's pace is not known

    @property
    def pause_ms(self) -> int:
        """How much an unusual pause of a whole partition counts: too little to make a sensor due that was on time."""
        return self.least_ms // 2

    def limits_s(self, count: Int64Array, interval_ms: Float32Array, pause_ms: Float32Array) -> Int64Array:
        """Return the limits of sensors [N] with so many readings and this pace, in whole seconds."""
        longest = np.maximum(self.intervals * interval_ms.astype(np.float64), self.pauses * pause_ms.astype(np.float64))
        limits_s = np.ceil(np.clip(longest, self.least_ms, _LONGEST_MS) / 1000.0).astype(np.int64)
        return np.where(count < self.least_readings, NEVER_DUE, limits_s)


@dataclass(frozen=True, slots=True)
class Mark:
    """Sensors whose newest reading is before a position, and that are due up to a second, are announced."""

    position: int
    until_s: int


@dataclass(slots=True)
class PartitionSilence:
    """The clock of a partition, and which of its sensors are announced. All of it fits into a note."""

    clock: PartitionClock = field(default_factory=PartitionClock)
    announced_s: int = FIRST_ACTIVE_MS // 1000  # everything is heard later than that
    marks: list[Mark] = field(default_factory=list)
    input: InputSilence | None = None  # of the whole topic, in the partition whose owner tells of it

    def are_announced(self, places: Int64Array, due_s: Int64Array) -> BoolArray:
        """Return which sensors [N] are announced, by the places of their newest readings and the seconds they are due."""
        found, at = np.asarray(due_s <= self.announced_s), offsets_of(places)
        for mark in self.marks:
            found = found | ((at < mark.position) & (due_s <= mark.until_s))
        return found

    def are_marked(self, places: Int64Array, due_s: Int64Array, returns: Int64Array) -> BoolArray:
        """Return which sensors [N] were announced in a mark before their return at these places [N]."""
        found = np.zeros(len(places), np.bool_)
        before, at = offsets_of(places), offsets_of(returns)
        for mark in self.marks:
            found |= (before < mark.position) & (mark.position <= at) & (due_s <= mark.until_s)
        return found

    def announce(self, position: int, until_s: int) -> None:
        """Record that all sensors due by a second are announced. The newest reading of the partition is before `position`."""
        self.announced_s = max(self.announced_s, min(until_s, self.clock.second))
        if until_s > self.clock.second:
            before = max((mark.until_s for mark in self.marks if mark.position == position), default=0)
            self.marks = [mark for mark in self.marks if mark.position != position]
            self.marks.append(Mark(position, max(before, until_s)))

    @property
    def has_room(self) -> bool:
        """Whether another mark fits into the note."""
        return len(self.marks) < MAXIMUM_MARKS

    def before_rebuild(self) -> PartitionSilence:
        """Return the silence from which a rebuild begins: its readings are heard later than all that is announced."""
        clock = PartitionClock(active_ms=self.clock.active_ms, usual_ms=self.clock.usual_ms, busy_ms=self.clock.busy_ms)
        return PartitionSilence(clock, self.announced_s, input=self.input)

    def forget_marks(self, position: int) -> None:
        """Drop the marks that the announced second has overtaken, and that no replay from `position` on needs."""
        self.marks = [mark for mark in self.marks if mark.until_s > self.announced_s or mark.position > position]

    def note(self, position: int) -> str:
        """Return all of this as a note that goes with a position."""
        clock = self.clock
        numbers = (position, clock.newest_ms, clock.active_ms, clock.usual_ms, clock.busy_ms, self.announced_s)
        marks = [f"{mark.position}:{mark.until_s}" for mark in self.marks]
        whole = () if self.input is None else (":".join(map(str, astuple(self.input))),)
        return " ".join([_NOTE_VERSION, *map(str, numbers), *marks, *whole])


def read_note(note: str, position: int) -> PartitionSilence | None:
    """Return what a note says; None if it is empty, of another version, or does not belong to this position."""
    version, *words = note.split(" ")
    if version != _NOTE_VERSION:
        return None
    try:
        at, newest, active, usual, busy, announced = map(int, words[:6])
        parts = [tuple(map(int, word.split(":"))) for word in words[6:]]
        marks = [Mark(*part) for part in parts if len(part) == _MARK_PARTS]
        whole = [InputSilence(*part) for part in parts if len(part) != _MARK_PARTS]
    except (ValueError, TypeError):
        return None
    if at != position:
        return None
    clock = PartitionClock(newest, active, usual, busy)
    return PartitionSilence(clock, announced, marks, whole[0] if whole else None)
