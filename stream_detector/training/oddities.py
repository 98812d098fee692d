"""Finds what stands out in a history itself: a value that does not change, a pause, empty cells, each far longer than usual.

The rules learn from the same history what is usual, so a fault in it teaches them that it is healthy. Here each sensor's two
longest runs are compared with its other readings instead: two, because a fault may have come twice.

What the training itself does is no oddity of the history: readings that the user left out end what lasts, and are no pause.
Values that the training took out were given, and are told from those that were not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from stream_detector.detection.rules.limits import (
    FEWEST_CHANGES,
    LARGEST_MISSING_SHARE,
    SMALLEST_CHANGING_SHARE,
    LimitOptions,
    run_by_chance,
)
from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.sampling import Paces

FROZEN, SILENT, EMPTY, TAKEN_OUT = "frozen", "silent", "empty", "taken_out"
#: Runs of a sensor that are looked at.
_LOOKED_AT = 2
#: What so many sensors show, each at its own time, or this share of them, is usual.
_SEVERAL, _SHARE_OF_FLEET = 4, 0.2
#: Runs that begin this many readings apart, and whose lengths differ by this share, are one.
_APART, _LENGTH_SHARE = 2, 0.1


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that lasted unusually long in a history."""

    what: str  # FROZEN, SILENT, EMPTY or TAKEN_OUT
    sensors: tuple[str, ...]
    features: tuple[str, ...]  # none: all, there were no readings
    start_ms: int  # time of the first reading that shows it, or that is absent
    seconds: float
    readings: int  # that it lasted, or that are absent

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        return asdict(self)


def find_oddities(dataset: Dataset, scored: BoolArray, paces: Paces) -> tuple[Oddity, ...]:
    """Return what stands out in a cleaned dataset, in the order of time; `scored` [F] are the features to look at."""
    found = [*_silences(dataset, paces)]
    for feature in np.flatnonzero(scored).tolist():
        found += _repeats(dataset, paces, feature)
        found += _gaps_of_feature(dataset, paces, feature)
    return tuple(sorted(_joined(found, float(np.median(paces.interval_ms))), key=lambda one: one.start_ms))


@dataclass(frozen=True, slots=True)
class _Runs:
    """R runs of rows of the dataset that show something."""

    first: Int64Array  # [R] row
    last: Int64Array  # [R]
    lengths: Int64Array  # [R] rows that were looked at
    codes: Int32Array  # [R] of the sensors

    @classmethod
    def of(cls, shows: BoolArray, rows: Int64Array, dataset: Dataset) -> _Runs:
        """Find the runs in `rows` [N] of the dataset."""
        same, codes = _goes_on(dataset, rows), dataset.codes[rows]
        goes_on = shows & same & np.append(False, shows[:-1])[: len(shows)]
        first = np.flatnonzero(shows & ~goes_on)
        last = np.flatnonzero(shows & ~np.append(goes_on[1:], False)[: len(shows)])
        return cls(rows[first], rows[last], last - first + 1, codes[first])

    def only(self, chosen: Int64Array) -> _Runs:
        """Return some of the runs."""
        return _Runs(self.first[chosen], self.last[chosen], self.lengths[chosen], self.codes[chosen])


def _repeats(dataset: Dataset, paces: Paces, feature: int) -> Iterator[Oddity]:
    """Yield what did not change."""
    values, sensors = dataset.values[:, feature], len(dataset.sensors)
    rows = np.flatnonzero(~np.isnan(values))
    codes, follows = dataset.codes[rows], _goes_on(dataset, rows)
    repeats = follows & np.append(False, np.diff(values[rows]) == 0)[: len(rows)]
    pairs, hits = (np.bincount(codes[one], minlength=sensors) for one in (follows, repeats))
    may_not = (pairs - hits >= FEWEST_CHANGES) & (pairs - hits >= SMALLEST_CHANGING_SHARE * pairs)
    runs = _Runs.of(repeats, rows, dataset)
    starts = rows[np.searchsorted(rows, runs.first) - 1]  # the value that is repeated is one of them
    with_it = replace(runs, first=starts, lengths=runs.lengths + 1)
    odd = _odd(with_it, dataset, paces, _Share(hits, pairs, may_not))
    yield from _oddities(FROZEN, feature, odd, dataset, paces)


def _gaps_of_feature(dataset: Dataset, paces: Paces, feature: int) -> Iterator[Oddity]:
    """Yield runs of empty cells: of values that were not given, and of those that the training took out."""
    sensors, missing = len(dataset.sensors), np.isnan(dataset.values[:, feature])
    removed = np.zeros(len(missing), np.bool_) if dataset.removed is None else missing & dataset.removed[:, feature]
    for what, absent in ((EMPTY, missing & ~removed), (TAKEN_OUT, removed)):
        if not absent.any():
            continue
        hits, readings = (np.bincount(codes, minlength=sensors) for codes in (dataset.codes[absent], dataset.codes))
        runs = _Runs.of(absent, np.arange(len(absent)), dataset)
        odd = _odd(runs, dataset, paces, _Share(hits, readings, hits <= LARGEST_MISSING_SHARE * readings))
        yield from _oddities(what, feature, odd, dataset, paces)


def _goes_on(dataset: Dataset, rows: Int64Array) -> BoolArray:
    """Return which of some rows [N] follow the one before in these: of the same sensor, with no reading left out between."""
    stretch = np.cumsum(~dataset.goes_on())[rows]
    return np.append(False, stretch[1:] == stretch[:-1])[: len(rows)]


@dataclass(frozen=True, slots=True)
class _Share:
    """In how many of its readings each sensor [S] shows something, and whether it may not be for long."""

    hits: Int64Array
    trials: Int64Array
    may_not: BoolArray


def _odd(runs: _Runs, dataset: Dataset, paces: Paces, share: _Share) -> _Runs:
    """Return the runs that are far longer than usual."""
    options, sensors = LimitOptions(), len(share.hits)
    longest, third = _longest(runs.codes, runs.lengths, sensors)
    best = runs.only(longest)
    in_best = np.bincount(best.codes, best.lengths, sensors).astype(np.int64)
    hits, trials = (np.maximum(count - in_best, 0) for count in (share.hits, share.trials))
    usual = np.maximum(third, _usual_in_fleet(best, dataset, paces))
    limit = np.maximum(options.frozen_readings, options.healthy_factor * usual)
    limit = np.maximum(limit, run_by_chance(hits, trials, options.chance))
    return best.only(np.flatnonzero(share.may_not[best.codes] & (best.lengths >= limit[best.codes])))


def _usual_in_fleet(runs: _Runs, dataset: Dataset, paces: Paces) -> int:
    """Return the length that several sensors show, as when each has its stops. Runs at one time, as at a failure, are one."""
    order = np.argsort(dataset.times_ms[runs.first], kind="stable")
    times_ms = dataset.times_ms[runs.first[order]]
    apart = np.diff(times_ms) > _APART * np.median(paces.interval_ms)
    at_once = np.maximum.reduceat(runs.lengths[order], np.flatnonzero(np.append(True, apart))) if len(order) else order
    rank = max(_SEVERAL, int(_SHARE_OF_FLEET * len(dataset.sensors)))
    return int(np.sort(at_once)[-rank]) if len(at_once) >= rank else 0


def _longest(codes: Int32Array, lengths: Int64Array, sensors: int) -> tuple[Int64Array, Float64Array]:
    """Return the two longest runs of each sensor, and the length [S] of the next one; 0 without any."""
    order = np.lexsort((-lengths, codes))
    ordered = codes[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    third = np.zeros(sensors)
    at = order[rank == _LOOKED_AT]
    third[codes[at]] = lengths[at]
    return order[rank < _LOOKED_AT], third


def _oddities(what: str, feature: int, runs: _Runs, dataset: Dataset, paces: Paces) -> Iterator[Oddity]:
    for run in range(len(runs.first)):
        code, first, last = int(runs.codes[run]), int(runs.first[run]), int(runs.last[run])
        start_ms, interval_s = int(dataset.times_ms[first]), float(paces.interval_ms[code]) / 1000.0
        seconds = (int(dataset.times_ms[last]) - start_ms) / 1000.0 + interval_s
        name, sensor = dataset.features[feature], dataset.sensors[code]
        yield Oddity(what, (sensor,), (name,), start_ms, seconds, int(runs.lengths[run]))


def _silences(dataset: Dataset, paces: Paces) -> Iterator[Oddity]:
    """Yield the pauses without a reading."""
    options, sensors = LimitOptions(), len(dataset.sensors)
    before = np.flatnonzero(dataset.goes_on()[1:])
    codes, steps_ms = dataset.codes[before], np.diff(dataset.times_ms)[before]
    longest, third = _longest(codes, steps_ms, sensors)
    limits_ms = np.maximum(paces.gap_limits_ms(), options.missing_readings * paces.interval_ms)
    limits_ms = np.maximum(limits_ms, options.healthy_factor * third)
    for step in longest[steps_ms[longest] >= limits_ms[codes[longest]]].tolist():
        code, interval_ms = int(codes[step]), float(paces.interval_ms[codes[step]])
        absent_ms = float(steps_ms[step]) - interval_ms
        start_ms = int(dataset.times_ms[before[step]]) + round(interval_ms)
        yield Oddity(SILENT, (dataset.sensors[code],), (), start_ms, absent_ms / 1000.0, round(absent_ms / interval_ms))


def _joined(found: list[Oddity], interval_ms: float) -> list[Oddity]:
    """Join what happens to several features of a sensor at once, then to several sensors."""
    for by_sensor in (True, False):
        joined: dict[tuple[object, ...], list[Oddity]] = {}
        for one in sorted(found, key=lambda other: other.start_ms):
            alike = joined.setdefault((one.what, one.sensors if by_sensor else one.features), [])
            at = next((at for at, other in enumerate(alike) if _is_at_once(one, other, interval_ms)), None)
            if at is None:
                alike.append(one)
            else:
                alike[at] = _both(alike[at], one)
        found = [one for alike in joined.values() for one in alike]
    return found


def _is_at_once(one: Oddity, other: Oddity, interval_ms: float) -> bool:
    differs = abs(one.readings - other.readings) > max(_APART, _LENGTH_SHARE * other.readings)
    return abs(one.start_ms - other.start_ms) <= _APART * interval_ms and not differs


def _both(one: Oddity, other: Oddity) -> Oddity:
    sensors, features = (
        tuple(sorted({*ours, *theirs})) for ours, theirs in ((one.sensors, other.sensors), (one.features, other.features))
    )
    return replace(one, sensors=sensors, features=features)
