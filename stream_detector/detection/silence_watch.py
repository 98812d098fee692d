"""Watches over the partitions in memory: who returns in a batch, and who has fallen silent by now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.detection.deaths import Dead, Deaths
from stream_detector.detection.silence import PartitionSilence, SilenceRules
from stream_detector.detection.silence_deaths import fold_deaths
from stream_detector.detection.transition import Silence
from stream_detector.readings import BoolArray, Death, Float32Array, Int32Array, Int64Array, Readings
from stream_detector.state.appended import Appended
from stream_detector.state.arena import NEVER_DUE, Arena
from stream_detector.state.bucket_state import newest_message_ms
from stream_detector.state.heard import HeardReadings, hear
from stream_detector.state.partition_clock import arrivals_ms
from stream_detector.state.record_layout import Records

_SAMPLED = 4096
_PACE = ("count", "interval_ms", "pause_ms")


@dataclass(frozen=True, slots=True)
class Returns:
    """Which of M accepted readings end a silence of their sensor, and what that silence was."""

    is_return: BoolArray  # [M]
    is_announced: BoolArray  # [M] the silence was announced before; the arrays below are arbitrary where there is none
    offset: Int64Array  # [M] of the sensor's last reading before it
    time_ms: Int64Array  # [M] event time of that reading
    limit_s: Int64Array  # [M] for so long a pause of the sensor is not a silence
    deaths: Mapping[int, Dead] = field(default_factory=dict)  # by position, of silences that a death began

    def silence(self, position: int) -> Silence:
        """Return the silence that the reading at a position ends."""
        last = int(self.offset[position]), int(self.time_ms[position]), int(self.limit_s[position])
        return _silence(*last, self.deaths.get(position))


@dataclass(frozen=True, slots=True)
class SilentSensor:
    """A sensor that has fallen silent and was not announced yet, with its record."""

    sensor_id: str
    record: np.void
    silence: Silence


class SilenceWatch:
    """The silences of all partitions in memory. `arena.due_s` has the second at which each sensor is due."""

    def __init__(self, arena: Arena, rules: SilenceRules | None) -> None:
        """Without rules, nothing is ever silent."""
        self._arena = arena
        self._rules = rules
        self._partitions: dict[int, PartitionSilence] = {}
        self.deaths = Deaths()

    @property
    def is_on(self) -> bool:
        """Whether sensors can be silent."""
        return self._rules is not None

    def of(self, partition: int) -> PartitionSilence:
        """Return the silence of a partition."""
        return self._partitions.setdefault(partition, PartitionSilence())

    def partitions(self) -> set[int]:
        """Return the partitions in memory."""
        return set(self._partitions)

    def restore(self, partition: int, silence: PartitionSilence | None = None) -> None:
        """Continue a partition from its note; without one, start over."""
        self._partitions[partition] = silence or PartitionSilence()

    def forget(self, partition: int) -> None:
        """Drop a partition that is no longer in memory."""
        self._partitions.pop(partition, None)
        self.deaths.forget(partition)

    def refresh(self, slots: Int32Array) -> None:
        """Work out again when the sensors in these slots [S] are due: they were inserted, or heard."""
        if self._rules is not None:
            header = self._arena.records["header"]
            due = header["heard"][slots] + self._limits_s(slots)
            self._arena.due_s[slots] = np.where(header["last_offset"][slots] >= 0, due, NEVER_DUE)
            if self.deaths:
                self._bring_forward(slots)

    def hear(
        self,
        readings: Readings,
        appended: Appended,
        last_time_ms: Int64Array,
        deaths: Sequence[Death] = (),
        *,
        is_rebuild: bool,
    ) -> Returns | None:
        """Fold a batch; return which accepted readings [M] end a silence, None if no reading does.

        `last_time_ms` [N] is the event time of the newest reading of each reading's sensor before the batch. In a rebuild,
        no pause is left out of the active time, because what the clock left out before is not known.
        """
        rules = self._rules
        if rules is None or not (len(appended.reading) or deaths):
            return None
        before_s = {one.partition: self.of(one.partition).clock.second for one in deaths}
        second = self._advance(readings, appended, None if is_rebuild else rules.pause_ms)
        places = readings.places[appended.reading]
        heard = hear(
            self._arena.records["header"],
            HeardReadings(appended.slot, appended.rank, second, places, appended.times_ms, last_time_ms[appended.reading]),
        )
        limit_s = rules.limits_s(appended.count - 1, appended.interval_ms, appended.pause_ms)
        due_s = heard.before + limit_s
        ended = self._fold_deaths(deaths, readings, appended.reading, second, before_s)
        ended = {at: dead for at, dead in ended.items() if dead.second < due_s[at] and not heard.is_first[at]}
        is_return = (second >= due_s) & ~heard.is_first
        is_announced = np.zeros(len(second), np.bool_)
        partitions = readings.partitions[appended.reading]
        for number in np.unique(partitions).tolist():
            silence, of = self.of(number), np.flatnonzero(partitions == number)
            before, due = heard.before_offset[of], due_s[of]
            is_return[of] |= silence.are_marked(before, due, places[of]) & ~heard.is_first[of]
            is_announced[of] = silence.are_announced(before, due)
        for at, dead in ended.items():
            silence, last = self.of(int(partitions[at])), heard.before_offset[at : at + 1]
            was_marked = bool(silence.are_marked(last, due_s[at : at + 1], np.array([dead.offset]))[0])
            gone, since = np.array([dead.offset]), np.array([dead.second + 1])
            is_marked = bool(silence.are_marked(gone, since, places[at : at + 1])[0])
            is_return[at] = was_marked or is_marked or second[at] > dead.second
            is_announced[at] = was_marked or bool(silence.are_announced(gone, since)[0])
        if not is_return.any():
            return None
        return Returns(is_return, is_announced & is_return, heard.before_offset, heard.before_time_ms, limit_s, ended)

    def partitions_with_due(self, until_s: Mapping[int, int]) -> set[int]:
        """Return those of the partitions in which a sensor in memory may be due by its partition's second and not announced."""
        if not until_s:
            return set()
        arena, numbers = self._arena, list(until_s)
        begin, end = (np.zeros(max(numbers) + 1, np.int64) for _ in range(2))
        for number in numbers:
            silence = self.of(number)
            begin[number], end[number] = 0 if silence.marks else silence.announced_s, until_s[number]
        earliest = int(begin[numbers].min())
        ours = np.flatnonzero((arena.due_s <= int(end.max())) & (arena.due_s > earliest))  # few: the others are never gathered
        ours = ours[(arena.partitions[ours] >= 0) & (arena.partitions[ours] <= max(numbers))]
        of = arena.partitions[ours]
        return set(np.unique(of[(arena.due_s[ours] > begin[of]) & (arena.due_s[ours] <= end[of])]).tolist())

    def due_in_memory(self, partition: int, until_s: int) -> list[SilentSensor]:
        """Return the sensors in memory that are due by a second and not announced."""
        arena = self._arena
        slots = np.flatnonzero((arena.due_s <= until_s) & (arena.partitions == partition))
        names = [arena.sensors[slot] for slot in slots.tolist()]
        return self.due_sensors(partition, names, arena.copy_records(slots.astype(np.int32)), until_s)

    def due_sensors(self, partition: int, names: Sequence[str], records: Records, until_s: int) -> list[SilentSensor]:
        """Return those of the sensors [N] with these records [N] that are due by a second and not announced, by offset."""
        header, silence = records["header"], self.of(partition)
        limit_s = self._limits_of(header)
        due_s, places = header["heard"] + limit_s, header["last_offset"]
        dead = self._dead_among(partition, names, places, due_s)
        is_due = (places >= 0) & (due_s <= until_s) & ~silence.are_announced(places, due_s)
        for at, one in dead.items():
            gone, since = np.array([one.offset]), np.array([one.second + 1])
            was_marked = silence.are_marked(places[at : at + 1], due_s[at : at + 1], gone)[0]
            is_due[at] = one.second < until_s and not (was_marked or silence.are_announced(gone, since)[0])
        found = np.flatnonzero(is_due)
        return [
            SilentSensor(
                names[at],
                records[at],
                _silence(int(places[at]), int(header["last_time_ms"][at]), int(limit_s[at]), dead.get(at)),
            )
            for at in found[np.argsort(places[found])].tolist()
        ]

    def newest_ms(self) -> int:
        """Return the newest event time in any partition in memory; negative if there is none."""
        return max((one.clock.newest_ms for one in self._partitions.values()), default=-1)

    def newest_message_ms(self) -> int:
        """Return the newest event time of a message to a sensor in memory; negative where no readings are assembled of them.

        Scans all sensors. A time later than its record counts as the record's.
        """
        arena = self._arena
        return newest_message_ms(arena.records["assembly"][arena.partitions >= 0])

    def count_announced(self) -> int:
        """Count the sensors in memory whose silence is announced. Scans all of them."""
        arena, numbers = self._arena, [*self._partitions, 0]
        announced_s = np.zeros(max(numbers) + 1, np.int64)
        for number, silence in self._partitions.items():
            announced_s[number] = max([silence.announced_s, *(mark.until_s for mark in silence.marks)])
        slots = np.flatnonzero((arena.due_s < NEVER_DUE) & (arena.partitions < len(announced_s)))
        slots = slots[arena.due_s[slots] <= announced_s[arena.partitions[slots]]]
        places, of = arena.records["header"]["last_offset"][slots], arena.partitions[slots]
        return sum(
            int(self.of(number).are_announced(places[of == number], arena.due_s[slots[of == number]]).sum())
            for number in np.unique(of).tolist()
        )

    def typical_limit_s(self) -> float:
        """Return the median limit of some sensors in memory; infinite without any."""
        slots = np.flatnonzero(self._arena.due_s < NEVER_DUE)[:_SAMPLED].astype(np.int32)
        return float(np.median(self._limits_s(slots))) if len(slots) else math.inf

    def _advance(self, readings: Readings, appended: Appended, pause_ms: int | None) -> Int64Array:
        """Advance the partitions' clocks; return the active second as of each accepted reading [M]."""
        order = np.argsort(appended.reading)  # of the log, within a partition
        arrivals = arrivals_ms(readings)[appended.reading[order]]
        partitions = readings.partitions[appended.reading[order]]
        second = np.empty(len(order), np.int64)
        for number in np.unique(partitions).tolist():
            of = np.flatnonzero(partitions == number)
            second[order[of]] = self.of(number).clock.advance(arrivals[of], pause_ms)
        return second

    def _fold_deaths(
        self,
        deaths: Sequence[Death],
        readings: Readings,
        accepted: Int64Array,
        second: Int64Array,
        before_s: Mapping[int, int],
    ) -> dict[int, Dead]:
        """Fold the deaths of a batch; return those that accepted readings end, by position."""
        if not (deaths or self.deaths):
            return {}
        ended = fold_deaths(self.deaths, deaths, readings, accepted=accepted, second=second, before_s=before_s)
        held = [one for one in deaths if self._arena.holds(one.partition, one.sensor)]
        slots = [self._arena.slot(one.partition, one.sensor) for one in held]
        self.refresh(np.unique(np.array(slots, np.int32)))
        return ended

    def _bring_forward(self, slots: Int32Array) -> None:
        """Make the sensors in these slots [S] due that are gone."""
        arena = self._arena
        for number in np.unique(arena.partitions[slots]).tolist():
            of = slots[arena.partitions[slots] == number]
            names = [arena.sensors[slot] for slot in of.tolist()]
            for at, dead in self._dead_among(
                number, names, arena.records["header"]["last_offset"][of], arena.due_s[of]
            ).items():
                arena.due_s[of[at]] = dead.second + 1

    def _dead_among(self, partition: int, names: Sequence[str], last_offsets: Int64Array, due_s: Int64Array) -> dict[int, Dead]:
        """Return which of the sensors [S] were gone before they were due, by these places of their last readings [S]."""
        known = self.deaths.of(partition)
        found = {at: known[name] for at, name in enumerate(names) if name in known} if known else {}
        return {at: dead for at, dead in found.items() if last_offsets[at] >= 0 and dead.second < due_s[at]}

    def _limits_s(self, slots: Int32Array) -> Int64Array:
        header = self._arena.records["header"]
        return self._limits(*(header[name][slots] for name in _PACE))

    def _limits_of(self, header: Records) -> Int64Array:
        return self._limits(*(header[name] for name in _PACE))

    def _limits(self, count: Int64Array, interval_ms: Float32Array, pause_ms: Float32Array) -> Int64Array:
        if self._rules is None:
            return np.full(len(count), NEVER_DUE)
        return self._rules.limits_s(count, interval_ms, pause_ms)


def _silence(offset: int, time_ms: int, limit_s: int, dead: Dead | None) -> Silence:
    """Return a silence after a sensor's last reading, which a death may have begun."""
    return Silence(offset, time_ms, limit_s) if dead is None else Silence(offset, time_ms, limit_s, dead.time_ms, dead.kind)
