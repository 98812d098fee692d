"""Counts in the training's readings what the rules take for healthy: repeats, missing values and ranges, by sensor.

A value that the training took out, such as -9999, was sent: the feature is not missing there, nor is that healthy.
Where a sensor hardly ever had anything else, it has no such instrument, and the feature is missing.

A value that is held because its feature said nothing new is no repeat, as in the stream (rules/runs.py). Only whether a feature
changes often enough to have a limit is told by all readings: a flag that is sent when it changes is still a flag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.limits import FEWEST_CHANGES, SMALLEST_CHANGING_SHARE
from stream_detector.detection.rules.runs import longest_runs
from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.tables.dataset import Dataset
from stream_detector.training.turns_fit import fit_turns


def fit_healthy(dataset: Dataset, scored: BoolArray) -> HealthyData:
    """Count in a cleaned dataset; `scored` [F] are the features that are not mere context."""
    codes, sensors = dataset.codes, len(dataset.sensors)
    removed = np.zeros(dataset.values.shape, np.bool_) if dataset.removed is None else dataset.removed
    held = np.zeros(dataset.values.shape, np.bool_) if dataset.held is None else dataset.held
    by_column = zip(dataset.values.T, removed.T, held.T, strict=True)
    stretches = _Stretches(codes, np.cumsum(~dataset.goes_on()).astype(np.int32) - 1, sensors)
    columns = [_Column(column, taken, held_back, stretches) for column, taken, held_back in by_column]
    same_row = _repeated_rows(dataset)
    by_feature = zip(dataset.values.T, columns, strict=True)
    turns = [fit_turns(values, codes, column.highest - column.lowest) for values, column in by_feature]
    return HealthyData(
        readings=np.bincount(codes, minlength=sensors).astype(np.int64),
        pairs=np.stack([column.pairs for column in columns], axis=1),
        repeats=np.stack([column.repeats for column in columns], axis=1),
        longest=np.stack([column.longest for column in columns], axis=1),
        row_repeats=np.bincount(codes[same_row], minlength=sensors).astype(np.int64),
        row_longest=stretches.longest(same_row),
        missing=np.stack([column.missing for column in columns], axis=1),
        longest_absent=np.stack([column.longest_absent for column in columns], axis=1),
        lowest=np.stack([column.lowest for column in columns], axis=1),
        highest=np.stack([column.highest for column in columns], axis=1),
        step=np.stack([one.step for one in turns], axis=1),
        counts_gaps=np.stack([one.counts_gaps for one in turns], axis=1),
        span=np.stack([one.span for one in turns], axis=1),
        turns=np.stack([one.turns for one in turns], axis=1),
        scored=scored,
    )


@dataclass(frozen=True, slots=True)
class _Stretches:
    """Where readings go on: of one sensor, with none left out between, as the stream counts from the end of a stop."""

    codes: Int32Array  # [N] sensors
    stretch: Int32Array  # [N] ascending
    sensors: int

    def of(self, chosen: BoolArray) -> _Stretches:
        """Return those of some readings [N]."""
        return _Stretches(self.codes[chosen], self.stretch[chosen], self.sensors)

    def longest(self, shows: BoolArray) -> Int32Array:
        """Return the longest run of readings [N] that show something, by sensor [S]."""
        found = np.zeros(self.sensors, np.int32)
        if len(shows):
            of_stretches = longest_runs(shows, self.stretch, int(self.stretch[-1]) + 1)
            np.maximum.at(found, self.codes, of_stretches[self.stretch])
        return found


class _Column:
    """The counts of one feature, by sensor [S]."""

    __slots__ = ("highest", "longest", "longest_absent", "lowest", "missing", "pairs", "repeats")

    def __init__(self, values: Float32Array, removed: BoolArray, held: BoolArray, stretches: _Stretches) -> None:
        codes, sensors = stretches.codes, stretches.sensors
        present = ~np.isnan(values)
        has_instrument = _count(codes[present], sensors) >= _count(codes[~present], sensors)
        absent = ~present & ~(removed & has_instrument[codes])
        self.pairs, self.repeats, self.longest = _repeats(values[present], stretches.of(present))
        if held.any():
            changes = self.pairs - self.repeats
            is_lively = (changes >= FEWEST_CHANGES) & (changes >= SMALLEST_CHANGING_SHARE * self.pairs)
            was_sent = present & ~held
            pairs, repeats, longest = _repeats(values[was_sent], stretches.of(was_sent))
            self.pairs = np.where(is_lively, pairs, self.pairs)
            self.repeats = np.where(is_lively, repeats, self.repeats)
            self.longest = np.where(is_lively, longest, self.longest)
        self.missing = _count(codes[absent], sensors)
        self.longest_absent = stretches.longest(absent)
        self.lowest = _extreme(np.fmin, values, codes, sensors)
        self.highest = _extreme(np.fmax, values, codes, sensors)


def _repeats(values: Float32Array, stretches: _Stretches) -> tuple[Int64Array, Int64Array, Int32Array]:
    """Return how many of these values follow one of the same stretch, how many repeat it, and the longest run [S] each."""
    codes, sensors, of = stretches.codes, stretches.sensors, stretches.stretch
    follows = np.append(False, of[1:] == of[:-1])[: len(of)]
    repeats = follows & np.append(False, np.diff(values) == 0)[: len(of)]
    return _count(codes[follows], sensors), _count(codes[repeats], sensors), stretches.longest(repeats)


def _count(codes: Int32Array, sensors: int) -> Int64Array:
    return np.bincount(codes, minlength=sensors).astype(np.int64)


def _extreme(ufunc: np.ufunc, values: Float32Array, codes: Int32Array, sensors: int) -> Float32Array:
    """Return the extreme value of each sensor; NaN without any."""
    found = np.full(sensors, np.nan, np.float32)
    ufunc.at(found, codes, values)
    return found


def _repeated_rows(dataset: Dataset) -> BoolArray:
    """Return whether each reading has the values of the one before it, missing ones included."""
    values = dataset.values
    same = np.zeros(len(values), np.bool_)
    equal = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    same[1:] = equal.all(axis=1) & dataset.goes_on()[1:] & ~np.isnan(values[1:]).all(axis=1)
    return same
