"""The readings of a batch that were appended to their sensors' windows, and the windows as of each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, FloatArray, Int32Array, Int64Array
from stream_detector.state.counters import Rises
from stream_detector.state.lateness import Late
from stream_detector.state.lost_readings import with_lost_rows
from stream_detector.state.record_layout import UInt16Array, steps_of

#: After a clock was set back, a window is full again with so many readings: those that were dropped before are missing in it,
#: so the first new ones do not continue the old ones, and may look like a fault. Members that expect a reading from those at
#: least eight before look across the seam until the eighth.
SEAM_READINGS = 9


@dataclass(frozen=True, slots=True)
class Appended:
    """The accepted readings of a batch, grouped by sensor and in log order within a sensor. M readings, S sensors.

    `extended_*` hold, for each sensor, its T-1 rows before the batch and then its new rows. The window as of reading m
    is the T rows from `window_start[m]`.
    """

    reading: Int64Array  # [M] position in the batch
    slot: Int32Array  # [M]
    rank: Int64Array  # [M] 0 for a sensor's first accepted reading in this batch
    filled: Int32Array  # [M] rows in the window as of this reading
    count: Int64Array  # [M] the sensor's accepted readings, this one included
    times_ms: Int64Array  # [M]
    interval_ms: Float32Array  # [M] the sensor's usual time between readings, as known before this one
    pause_ms: Float32Array  # [M] the same of its usual longest pause
    window_start: Int64Array  # [M]
    extended_values: Float32Array  # [E, F]
    extended_steps: UInt16Array  # [E] codes of the times since the row before
    window_length: int
    late: int  # readings dropped: not newer than the sensor's newest
    lateness: Late  # these readings
    restarted: int  # windows restarted after a gap
    jump_ms: Int64Array  # [M] by how much the sensor's clock jumped forwards at this reading; mostly 0
    clock_ms: Int64Array  # [M] how far its clock is ahead of what it was before it jumped; 0: it is right
    counters: tuple[int, ...] = ()  # positions of the counters among the features
    rises: Rises | None = None  # of the counters, if there are any
    idle: BoolArray | None = None  # [M] outside of the state in which the model learned (idle.py); None: there is none

    def windows(self, chosen: Int64Array) -> Float32Array:
        """Return the windows [K, T, F] as of the chosen accepted readings; rows before a restart are meaningless."""
        steps = np.arange(self.window_length)
        return np.asarray(self.extended_values[self.window_start[chosen, None] + steps])

    @property
    def is_idle(self) -> BoolArray:
        """Which readings [M] are outside of the state in which the model learned."""
        return np.zeros(len(self.reading), np.bool_) if self.idle is None else self.idle

    @property
    def rows(self) -> Int64Array:
        """The newest rows [M] of the window as of each accepted reading that belong together: all, if it is full.

        A window that is nearly full may follow a clock that was set back: then only the rows since are sure to.
        """
        filled = self.filled.astype(np.int64)
        before = max(0, self.window_length - SEAM_READINGS)
        return np.where((filled > before) & (filled < self.window_length), filled - before, filled)

    def timed_windows(self, chosen: Int64Array) -> Float32Array:
        """Return the windows [K, T, F] as of the chosen readings with a row of NaN for each lost one (lost_readings.py).

        The rows before the `rows` that belong together are NaN too.
        """
        position = self.window_start[chosen, None] + np.arange(self.window_length)
        values, steps = np.asarray(self.extended_values[position]), self.extended_steps[position]
        rows = self.rows[chosen]
        if (rows == self.window_length).all():
            return with_lost_rows(values, steps)
        values[np.arange(self.window_length) < (self.window_length - rows)[:, np.newaxis]] = np.nan
        return with_lost_rows(values, steps, rows)

    def newest_values(self) -> Float32Array:
        """Return the newest row [M, F] of the window as of each accepted reading: its values, and the rises of counters."""
        return np.asarray(self.extended_values[self.window_start + (self.window_length - 1)])

    def in_values(self, position: int, expected: Float32Array) -> FloatArray:
        """Return a window row [F], as of an accepted reading, in values: for counters, where such rises would have led."""
        if self.rises is None:
            return expected
        values = expected.astype(np.float64)
        for number, feature in enumerate(self.counters):
            values[feature] = self.rises.value_at(position, number, float(expected[feature]))
        return values

    def starts_ms(self, chosen: Int64Array, rows: Int64Array | None = None) -> Int64Array:
        """Return the event times of the first of the windows' newest `rows` [K], to within a 1024th of their longest step.

        Without `rows`, of all that the windows have.
        """
        counted = self.filled[chosen].astype(np.int64) if rows is None else rows
        steps = np.arange(self.window_length)
        between = steps_of(self.extended_steps[self.window_start[chosen, None] + steps])  # [K, T]
        inside = steps > self.window_length - counted[:, np.newaxis]
        return np.asarray(self.times_ms[chosen] - (between * inside).sum(axis=1))
