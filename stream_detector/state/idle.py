"""Tells which readings of a sensor are idle: outside of the state in which its model learned, such as `running == 1`.

An idle reading is accepted like any other, so that a machine that stands still is not silent, but no window holds it beside
another reading: it restarts the window, as one after a gap does, and so does the next reading that is not idle. Whether the
reading before was idle follows from its values, which are the newest row of the window: so the record needs no field for it.

A feature of the condition that a reading lacks has its last value, also in the window, so the newest row always has it. Before
its first value the condition does not hold.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state.condition import Condition
from stream_detector.state.record_layout import Records


@dataclass(frozen=True, slots=True)
class OnlyWhile:
    """A condition, and where its features are among those of a model."""

    condition: Condition
    positions: tuple[int, ...]  # of the features in it, in their order

    @classmethod
    def parse(cls, text: str, features: tuple[str, ...], counters: Collection[str] = ()) -> OnlyWhile | None:
        """Return the condition of a model with these features; None for no text.

        Raises ValueError if it cannot be understood, or names anything else, or a counter: windows hold its rises only.
        """
        if not text:
            return None
        condition = Condition.parse(text)
        if unknown := [name for name in condition.features() if name not in features]:
            msg = f"{text!r} names {', '.join(unknown)}, which is no feature of the model"
            raise ValueError(msg)
        if rising := [name for name in condition.features() if name in counters]:
            msg = f"{text!r} names {', '.join(rising)}, a counter: a flag or a measurement tells a state"
            raise ValueError(msg)
        return cls(condition, tuple(features.index(name) for name in condition.features()))

    def holds(self, values: Float32Array) -> BoolArray:
        """Return where it holds, by the values [..., F] of all features, of which those in it are filled."""
        names = self.condition.features()
        return self.condition.holds({name: values[..., at] for name, at in zip(names, self.positions, strict=True)})

    def find_idle(self, values: Float32Array, rows: Rows) -> tuple[BoolArray, BoolArray]:
        """Return which of M new readings are idle, and which of them begin a window: those, and those that follow one.

        The condition's features are filled in `values` [E, F], in place.
        """
        for feature in self.positions:
            column = values[:, feature]
            if np.isnan(column[rows.new]).any() or np.isnan(column[rows.newest_before]).any():
                values[:, feature] = np.where(rows.is_there, rows.last_known(column), column)
        idle = ~self.holds(values[rows.new])
        was_idle = np.concatenate([idle[:1], idle[:-1]])
        was_idle[rows.is_first] = rows.is_there[rows.newest_before] & ~self.holds(values[rows.newest_before])
        return idle, idle | was_idle


@dataclass(frozen=True, slots=True)
class Rows:
    """E rows: of each of S sensors those of its ring, oldest first, and then its new ones, M in all."""

    new: Int64Array  # [M] positions of the new ones
    is_first: BoolArray  # [M] a sensor's first new one
    newest_before: Int64Array  # [S] position of the newest row of the ring
    is_there: BoolArray  # [E] new, or in the window before
    start: Int64Array  # [E] of the row's sensor

    @classmethod
    def of(cls, new: Int64Array, rank: Int64Array, filled: Int32Array, history: int) -> Rows:
        """Describe rows, `history` of each sensor before its new ones, which are the `rank`-th [M] of their sensor.

        `filled` [M]: how many of those before are in the sensor's window.
        """
        is_first = rank == 0
        first = new[is_first]
        place = np.arange(int(new[-1]) + 1)
        sensor = np.searchsorted(first - history, place, side="right") - 1
        start = (first - np.minimum(filled[is_first], history))[sensor]
        return cls(new, is_first, first - 1, place >= start, start)

    def last_known(self, column: Float32Array) -> Float32Array:
        """Return the newest value of the row's sensor up to each row [E]; NaN if it has none."""
        place = np.arange(len(column))
        newest = np.maximum.accumulate(np.where(np.isnan(column) | ~self.is_there, -1, place))
        return np.where(newest >= self.start, column[newest], np.float32(np.nan))


def enter_state(records: Records, header: Records, is_other: BoolArray, only_while: OnlyWhile) -> None:
    """Make those of the records [N] that are of another model know the state, in place, and their headers, a copy [N].

    Their windows lose what came before the state began; of a sensor that is idle, the newest reading stays.
    """
    some = np.flatnonzero(is_other & (header["filled"] > 0))
    length = records["rows"].shape[1]
    newest_first = (header["count"][some].astype(np.int64)[:, np.newaxis] - 1 - np.arange(length)) % length
    values, age = records["rows"]["values"][some[:, np.newaxis], newest_first], np.arange(length)
    is_there = age < header["filled"][some][:, np.newaxis]
    for feature in only_while.positions:
        column = values[:, :, feature]
        known = np.where(is_there & ~np.isnan(column), age, length)
        newest = np.minimum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
        held = np.take_along_axis(column, np.minimum(newest, length - 1), axis=1)
        values[:, :, feature] = np.where(newest < length, held, np.float32(np.nan))
    rows = np.where(only_while.holds(values) & is_there, length, age).min(axis=1, initial=length)
    header["filled"][some] = np.minimum(np.maximum(rows, 1), header["filled"][some])
    records["rows"]["values"][some, newest_first[:, 0]] = values[:, 0]


def are_idle(records: Records, only_while: OnlyWhile | None) -> BoolArray:
    """Return which sensors are idle as of their records [N]."""
    header, length = records["header"], records["rows"].shape[1]
    if only_while is None or not len(records):
        return np.zeros(len(records), np.bool_)
    newest = records["rows"]["values"][np.arange(len(records)), (header["count"].astype(np.int64) - 1) % length]
    return np.asarray((header["filled"] > 0) & ~only_while.holds(newest))
