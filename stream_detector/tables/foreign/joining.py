"""Joins tags that report at times of their own into rows at an interval, the last value of each held for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.timestamps import duration

#: Intervals of rows that people use, in milliseconds.
_NICE_MS = [step * unit for unit in (1, 10, 100) for step in (1, 2, 5)]
_NICE_MS += [1000 * step for step in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 21_600, 86_400)]
#: If the tags of a machine share their times to this extent, the rows are theirs and nothing is held.
_FILLED_SHARE = 0.9
#: A value is held for this many intervals at least, and for the usual longest pause of most tags.
_LEAST_INTERVALS, _USUAL_PAUSE, _MOST_TAGS = 10, 0.99, 0.75
_MOST_CELLS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Reports:
    """N values, each of one tag of one sensor, in any order. NaN is a report that there is no good value."""

    sensors: tuple[str, ...]
    features: tuple[str, ...]
    sensor_codes: Int32Array  # [N]
    feature_codes: Int32Array  # [N]
    times_ms: Int64Array  # [N]
    values: Float64Array  # [N]


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows [M] of all sensors, by sensor and time, and sentences on how they were made."""

    codes: Int32Array
    times_ms: Int64Array
    columns: Mapping[str, Float64Array]
    facts: Mapping[str, str]
    notes: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)  # with which other files give rows of the same kind


def join(reports: Reports, every_ms: int | None, hold_ms: int | None, *, are_rows: bool = False) -> Joined:
    """Join reports into rows: by equal times if the tags share them, otherwise at an interval. Raises InputDataError.

    Reports of a wide table `are_rows`, at whose times they stay unless an interval or a hold is named.
    """
    tags = _tags(reports)
    order = _by_tag_and_time(tags, reports.times_ms)
    tags, times, values = tags[order], reports.times_ms[order], reports.values[order]
    starts = np.flatnonzero(np.diff(tags, prepend=-1))
    series = _Series(reports, tags[starts], starts, np.append(starts[1:], len(tags)), times, values)
    repeated = int(((np.diff(times) == 0) & (np.diff(tags) == 0)).sum())
    notes = [f"{repeated:,} values repeat a time of their tag: the last of each was used"] if repeated else []
    if every_ms is None and hold_ms is None and (are_rows or _filled_share(series) >= _FILLED_SHARE):
        joined = _at_own_times(series)
        facts = {"rows": "at the times of the file" + ("" if are_rows else ", which the tags share")}
        return Joined(*joined, facts, tuple(notes))
    every = every_ms or _interval(series)
    hold = hold_ms or _hold(series, every)
    return _at_interval(series, every, hold, notes, chosen=(every_ms is None, hold_ms is None))


@dataclass(frozen=True, slots=True)
class _Series:
    """Reports sorted by tag and time; tag k has those from starts[k] to stops[k]."""

    reports: Reports
    tags: Int64Array  # [T] sensor and feature in one number
    starts: Int64Array
    stops: Int64Array
    times: Int64Array
    values: Float64Array

    def of_sensor(self, code: int) -> list[tuple[int, Int64Array, Float64Array]]:
        """Return the feature, times and values of each tag of a sensor."""
        count = len(self.reports.features)
        chosen = np.flatnonzero(self.tags // count == code)
        return [
            (int(self.tags[k] % count), self.times[self.starts[k] : self.stops[k]], self.values[self.starts[k] : self.stops[k]])
            for k in chosen.tolist()
        ]

    def pauses(self) -> list[Int64Array]:
        """Return the times between the reports of each tag [T]."""
        return [np.diff(self.times[one:other]) for one, other in zip(self.starts.tolist(), self.stops.tolist(), strict=True)]

    def name(self, tag: int) -> str:
        """Return how a tag is said."""
        sensor, feature = divmod(int(self.tags[tag]), len(self.reports.features))
        names = self.reports.sensors
        return self.reports.features[feature] + (f" of {names[sensor]}" if len(names) > 1 else "")


def _tags(reports: Reports) -> Int64Array:
    return reports.sensor_codes.astype(np.int64) * len(reports.features) + reports.feature_codes


def _by_tag_and_time(tags: Int64Array, times_ms: Int64Array) -> Int64Array:
    """Return the stable order by tag, then time; numbers of 16 bits, in files that are in order of time, are sorted fastest."""
    if (np.diff(times_ms) >= 0).all():
        few = tags.astype(np.uint16) if tags.max(initial=0) < 1 << 16 else tags
        return np.argsort(few, kind="stable").astype(np.int64)
    return np.lexsort((times_ms, tags)).astype(np.int64)


def _distinct(times: Int64Array) -> Int64Array:
    """Return the distinct times in order; np.unique hashes them, which takes ten times as long."""
    ordered = np.sort(times)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _count(ordered: Int64Array) -> int:
    """Return the number of distinct times, which are in order."""
    return int((np.diff(ordered) > 0).sum()) + (len(ordered) > 0)


def _filled_share(series: _Series) -> float:
    """Return the share of filled cells if the reports were joined by equal times."""
    cells = filled = 0
    for code in range(len(series.reports.sensors)):
        of_sensor = series.of_sensor(code)
        if of_sensor:
            times = _distinct(np.concatenate([times for _, times, _ in of_sensor]))
            cells += len(times) * len(of_sensor)
            filled += sum(_count(times) for _, times, _ in of_sensor)
    return filled / max(1, cells)


def _at_own_times(series: _Series) -> tuple[Int32Array, Int64Array, dict[str, Float64Array]]:
    parts = []
    for code in range(len(series.reports.sensors)):
        of_sensor = series.of_sensor(code)
        if not of_sensor:
            continue
        times = _distinct(np.concatenate([times for _, times, _ in of_sensor]))
        block = np.full((len(times), len(series.reports.features)), np.nan)
        for feature, own, values in of_sensor:
            block[np.searchsorted(times, own), feature] = values
        parts.append((code, times, block))
    return _stacked(series.reports.features, parts)


def _at_interval(series: _Series, every: int, hold: int, notes: list[str], *, chosen: tuple[bool, bool]) -> Joined:
    count = len(series.reports.features)
    parts, held, filled, unused = [], 0, 0, 0
    for code in range(len(series.reports.sensors)):
        of_sensor = series.of_sensor(code)
        if not of_sensor:
            continue
        first = -(-min(int(times[0]) for _, times, _ in of_sensor) // every)
        last = max(int(times[-1]) for _, times, _ in of_sensor) + every - 1
        grid = np.arange(first, last // every + 1, dtype=np.int64) * every
        if len(grid) * count > _MOST_CELLS:
            per = duration(every / 1000)
            msg = f"rows every {per} would be {len(grid):,} for one machine: name a longer interval, as --every 10s"
            raise InputDataError(msg)
        block = np.full((len(grid), count), np.nan)
        for feature, times, values in of_sensor:
            column, is_held = _held(grid, times, values, every, hold)
            block[:, feature] = column
            held += int(is_held.sum())
            filled += int((~np.isnan(column)).sum())
            unused += len(times) - _count(-(-times // every))
        has_value = ~np.isnan(block).all(axis=1)
        parts.append((code, grid[has_value], block[has_value]))
    joined = _stacked(series.reports.features, parts)
    facts = _facts_of_interval(every, hold, chosen)
    notes.append(f"held: {held / max(1, filled):.0%} of the values are from an earlier row, for the tag did not report again")
    if unused:
        notes.append(
            f"{unused:,} values came before another of their tag in the same {duration(every / 1000)}: the last was used"
        )
    notes += _rare(series, hold)
    return Joined(*joined, facts, tuple(notes), {"--every": _option(every), "--hold": _option(hold)})


def _option(ms: int) -> str:
    return f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"


def _facts_of_interval(every: int, hold: int, chosen: tuple[bool, bool]) -> dict[str, str]:
    every_why = " (chosen from the data; --every names another)" if chosen[0] else ""
    hold_why = " (chosen from the data; --hold names another)" if chosen[1] else ""
    return {
        "rows": f"one every {duration(every / 1000)}{every_why}, each with the last value of each tag",
        "hold": f"a value counts for {duration(hold / 1000)}{hold_why}; after that it is missing",
    }


def _held(grid: Int64Array, times: Int64Array, values: Float64Array, every: int, hold: int) -> tuple[Float64Array, BoolArray]:
    """Return the last value at or before each time of the grid, NaN if it is older than `hold`, and where it is held."""
    last = np.searchsorted(times, grid, side="right") - 1
    age = grid - times[np.maximum(last, 0)]
    is_there = (last >= 0) & (age <= max(hold, every))
    column = np.where(is_there, values[np.maximum(last, 0)], np.nan)
    return column, np.asarray(is_there & (age >= every) & ~np.isnan(column))


def _stacked(
    features: Sequence[str], parts: list[tuple[int, Int64Array, Float64Array]]
) -> tuple[Int32Array, Int64Array, dict[str, Float64Array]]:
    codes = np.concatenate([np.full(len(times), code, np.int32) for code, times, _ in parts])
    times_ms = np.concatenate([times for _, times, _ in parts])
    columns = {name: np.concatenate([block[:, at] for _, _, block in parts]) for at, name in enumerate(features)}
    return codes, times_ms, columns


def _interval(series: _Series) -> int:
    """Return the median of the tags' own intervals, down to one that people use."""
    own = [float(np.median(pauses)) for pauses in series.pauses() if len(pauses)]
    if not own:
        msg = "no tag has two values at different times, the least that rows can be made of"
        raise InputDataError(msg)
    return _nice_below(float(np.median(own)) * 1.05)


def _hold(series: _Series, every: int) -> int:
    """Return the usual longest pause of most tags, but some intervals at least."""
    longest = [float(np.quantile(pauses, _USUAL_PAUSE)) for pauses in series.pauses() if len(pauses)]
    return int(max(_LEAST_INTERVALS * every, _nice_above(float(np.quantile(longest, _MOST_TAGS)) if longest else 0.0)))


def _nice_below(ms: float) -> int:
    return max([one for one in _NICE_MS if one <= ms], default=1)


def _nice_above(ms: float) -> int:
    return min([one for one in _NICE_MS if one >= ms], default=int(ms))


def _rare(series: _Series, hold: int) -> list[str]:
    """Name the tags whose usual pause is longer than a value is held, worst first."""
    usual = [(float(np.median(pauses)) if len(pauses) else np.inf, tag) for tag, pauses in enumerate(series.pauses())]
    rare = sorted(((pause, tag) for pause, tag in usual if pause > hold), reverse=True)
    if not rare:
        return []
    named = [
        f"{series.name(tag)} ({'one value' if pause == np.inf else 'every ' + duration(pause / 1000)})"
        for pause, tag in rare[:5]
    ]
    more = f" and {len(rare) - 5:,} more" if len(rare) > 5 else ""
    longest = max((pause for pause, _ in rare if pause < np.inf), default=0.0)
    cure = f"; --hold {_nice_above(longest) // 1000 + 1}s would hold their values between reports" if longest else ""
    return [f"RARER THAN THE HOLD: {', '.join(named)}{more}: mostly missing{cure}"]
