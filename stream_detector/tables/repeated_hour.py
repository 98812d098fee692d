"""Which pass of the hour that summer time repeats the local times of a file are in: one decision for a file, where it can be.

A sensor, or a tag of a long table, often has too few readings in the hour to tell by itself; what its file tells counts first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

import numpy as np

from stream_detector.ingest.local_time import STEP_BACK
from stream_detector.ingest.parsing import Parsing
from stream_detector.readings import BoolArray, Int32Array, Int64Array

#: What a user may say: all local times of a repeated hour are in this pass of it.
FIRST, SECOND = "first", "second"
#: Rows of a file that lie together in the hour: at least this share of the rows between the first and the last of them.
_TOGETHER = 0.9
#: A file that is sorted by local time has each time twice: at least this share of the steps in the hour are of no time.
_PAIRED = 0.25


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a file in the order in which they were written, oldest first; `hour` are those within one repeated hour."""

    codes: Int32Array  # [N] of a sensor, or of a tag of a machine
    machines: Int32Array  # [N]
    times_ms: Int64Array  # [N] at their first meaning
    hour: Int64Array  # [H] positions
    later_ms: int  # how much later the second meaning is

    def of_machine(self, machine: int) -> _Rows:
        """Return the rows of one machine only."""
        own = np.flatnonzero(self.machines == machine)
        hour = np.flatnonzero(np.isin(own, self.hour))
        return _Rows(self.codes[own], self.machines[own], self.times_ms[own], hour, self.later_ms)

    def runs(self) -> list[Int64Array]:
        """Return the positions in the hour of each code."""
        order = self.hour[np.argsort(self.codes[self.hour], kind="stable")]
        return np.split(order, np.flatnonzero(np.diff(self.codes[order])) + 1)


def second_pass_of_file(
    codes: Int32Array, machines: Int32Array, times_ms: Int64Array, later_ms: Int64Array, parsing: Parsing
) -> tuple[BoolArray, list[str]]:
    """Return where a time [N] of a file is meant at its second meaning, and a sentence on what could not be told.

    `codes` [N] are of sensors, or of tags of `machines` [N]. `times_ms` are in UTC at their first meaning, the second one is
    `later_ms` after it (0 or less: there is none).
    """
    twice = np.flatnonzero(later_ms > 0)
    found, notes = np.zeros(len(codes), np.bool_), list[str]()
    if parsing.repeated_hour is not None:
        found[twice] = parsing.repeated_hour == SECOND
        return found, notes
    turn = slice(None, None, -1 if _is_newest_first(codes, times_ms) else 1)
    place = np.arange(len(codes))[turn]
    in_time = twice[np.argsort(times_ms[twice], kind="stable")]
    apart = np.diff(times_ms[in_time]) > 2 * later_ms[in_time[:-1]]
    for hour in np.split(in_time, np.flatnonzero(apart) + 1) if len(in_time) else []:
        rows = _Rows(codes[turn], machines[turn], times_ms[turn], np.sort(place[hour]), int(later_ms[hour[0]]))
        of_hour, doubt = _decided(rows)
        found[turn][rows.hour] = of_hour
        if doubt:
            zone = parsing.zone or UTC
            notes.append(f"the hour that {zone} repeats ({_local(int(times_ms[hour[0]]), zone)}) {doubt}")
    return found, notes


def _is_newest_first(codes: Int32Array, times_ms: Int64Array) -> bool:
    order = np.argsort(codes, kind="stable")
    steps = np.diff(times_ms[order])[np.diff(codes[order]) == 0]
    return bool((steps < 0).sum() > (steps > 0).sum())


def _local(time_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:00")


def _decided(rows: _Rows) -> tuple[BoolArray, str]:
    """Return which rows [H] of the hour are in its second pass, and what could not be told ('': nothing)."""
    if (by_file := _by_file(rows)) is not None:
        return by_file, ""
    is_second, is_known = np.zeros(len(rows.hour), np.bool_), np.zeros(len(rows.hour), np.bool_)
    of = rows.machines[rows.hour]
    for machine in np.unique(of).tolist() if (rows.machines != rows.codes).any() else []:
        if (by_machine := _by_file(rows.of_machine(machine))) is not None:
            is_second[of == machine], is_known[of == machine] = by_machine, True
    if is_known.all():
        return is_second, ""
    is_second[~is_known], doubt = _by_codes(replace(rows, hour=rows.hour[~is_known]))
    return is_second, doubt


def _by_codes(rows: _Rows) -> tuple[BoolArray, str]:
    """Decide by the readings of each code, and, where these do not tell, by those of the others."""
    second, paired, steps = list[Int64Array](), 0, 0
    first, rest = list[Int64Array](), list[Int64Array]()
    runs = rows.runs()
    for run in runs:
        own = np.diff(rows.times_ms[run])
        paired, steps = paired + int((own == 0).sum()), steps + len(own)
        jumps = np.flatnonzero(own <= -STEP_BACK * rows.later_ms)
        if len(jumps):
            first.append(run[: jumps[0] + 1])
            second.append(run[jumps[0] + 1 :])
        else:
            rest.append(run)
    if second:
        return _beside(rows, np.concatenate(first), np.concatenate(second), np.concatenate(rest or [rows.hour[:0]]))
    return _of_pairs(rows, runs) if paired and paired >= _PAIRED * steps else _once(rows)


def _by_file(rows: _Rows) -> BoolArray | None:
    """Return the second pass by the order of all rows together; None if the file is not written in order of time."""
    first, last = int(rows.hour[0]), int(rows.hour[-1])
    jumps = np.flatnonzero(np.diff(rows.times_ms[rows.hour]) <= -STEP_BACK * rows.later_ms)
    if len(jumps) != 1 or len(rows.hour) < _TOGETHER * (last - first + 1):
        return None
    is_second = np.arange(len(rows.hour)) > jumps[0]
    codes = rows.codes[rows.hour]
    has_both = np.isin(codes[is_second], codes[~is_second]).any()  # otherwise two sensors that follow each other look the same
    return is_second if has_both else None


def _beside(rows: _Rows, first: Int64Array, second: Int64Array, rest: Int64Array) -> tuple[BoolArray, str]:
    """Tell the rows of sensors that do not tell by themselves by where they stand among those that do."""
    last_of_first, first_of_second = int(first.max()), int(second.min())
    is_second = np.isin(rows.hour, second)
    if last_of_first < first_of_second:
        is_second |= np.isin(rows.hour, rest[rest > first_of_second])
        rest = rest[(rest > last_of_first) & (rest < first_of_second)]
    return is_second, _unsure(rest)


def _of_pairs(rows: _Rows, runs: list[Int64Array]) -> tuple[BoolArray, str]:
    """Tell the passes of a file that is sorted by local time: of two readings at a time, the later row is of the second."""
    repeats = [run[1:][np.diff(rows.times_ms[run]) == 0] for run in runs]
    alone = np.concatenate([run for run, own in zip(runs, repeats, strict=True) if not len(own)] or [rows.hour[:0]])
    return np.isin(rows.hour, np.concatenate(repeats)), _unsure(alone)


def _once(rows: _Rows) -> tuple[BoolArray, str]:
    """Decide for all rows together, for the file has the hour once: by the shorter pause before or after it."""
    inside = rows.times_ms[rows.hour]
    before, after = rows.times_ms[rows.times_ms < inside.min()], rows.times_ms[rows.times_ms > inside.max()]
    if not len(after):
        return np.zeros(len(rows.hour), np.bool_), ""  # it ends within the first pass
    if not len(before):
        return np.ones(len(rows.hour), np.bool_), ""  # it begins within the second
    pause_before, pause_after = int(inside.min() - before.max()), int(after.min() - inside.max())
    is_second = max(pause_before + rows.later_ms, pause_after - rows.later_ms) < max(pause_before, pause_after)
    taken, other = ("second", "first") if is_second else ("first", "second")
    doubt = (
        f"is in the file once: taken as its {taken} pass, so that an hour is missing {'before' if is_second else 'after'} it"
    )
    return np.full(len(rows.hour), is_second), f"{doubt}; --repeated-hour {other} says that it is the other"


def _unsure(alone: Int64Array) -> str:
    if not len(alone):
        return ""
    return (
        f"has {len(alone):,} values of which nothing tells the pass, as of tags that report rarely: taken as in the first; "
        f"an export in UTC tells"
    )
