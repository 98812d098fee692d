"""How a member's error is distributed while a window has few rows: the level and spread of what they show.

After a sensor's first reading, or a gap, its window has few rows. The members read it as they read lost readings: the missing
rows repeat the first one. Then they predict worse and compare fewer rows, so their errors are larger and vary more. Training
hides all but the newest k rows of healthy windows, and measures how each member's log error x above the sensor's level moves:

    above level = (x - level - shift) * share

`share` is at most 1, so a partial window raises no more alarms at the same limit; it is 0 for a member that sees nothing in so
few rows. Between the measured k, both are linear in log k. At the last k, that of a full window, nothing changes.

Only sensors that the model knows are scored so: a scale that is still being learnt is too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.state.known_sensors import UNKNOWN


@dataclass(frozen=True, slots=True)
class PartialLevels:
    """What few rows do to the log errors of M members; K numbers of rows."""

    rows: Int64Array  # [K] ascending, from 1 to those of a full window
    shift: Float64Array  # [K, M] the last ones are 0
    share: Float64Array  # [K, M] from 0 to 1, the last ones are 1

    def take(self, kept: BoolArray) -> PartialLevels:
        """Return those of some of the members [M]."""
        return PartialLevels(self.rows, self.shift[:, kept], self.share[:, kept])

    def by_rows(self) -> PartialTable:
        """Return the same for each number of rows."""
        wanted = np.log(np.arange(1, self.rows[-1] + 1))
        columns = (
            np.stack([np.interp(wanted, np.log(self.rows), of_member) for of_member in of_knots.T], axis=1)
            for of_knots in (self.shift, self.share)
        )
        return PartialTable(*columns)


@dataclass(frozen=True, slots=True)
class PartialTable:
    """What k rows of a window do to the log errors of M members, for k = 1 ... T."""

    shift: Float64Array  # [T, M]
    share: Float64Array  # [T, M]

    def correct(self, above_level: Float64Array, rows: Int64Array) -> Float64Array:
        """Return log errors above their level [G, M], of windows with so many rows [G], as if these were full."""
        return (above_level - self.shift[rows - 1]) * self.share[rows - 1]


def is_scorable(rows: Int64Array, window_length: int, table_rows: Int32Array, partial: PartialTable | None) -> BoolArray:
    """Return which windows [N] with so many rows can be scored, of sensors in these rows of the model's table [N]."""
    is_full = np.asarray(rows == window_length)
    return is_full if partial is None else np.asarray(is_full | (table_rows != UNKNOWN))


def partial_rows(rows: Int64Array | None, partial: PartialTable | None) -> Int64Array | None:
    """Return the rows of windows [N]; None if all that can be scored are full."""
    if rows is None or partial is None or not (rows < len(partial.share)).any():
        return None
    return rows
