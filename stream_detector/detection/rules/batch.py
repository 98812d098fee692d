"""The accepted readings of a batch, as the rules read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.events import IDLE_SENSOR, PROVISIONAL, READY, WARMING
from stream_detector.detection.new_names import NewName
from stream_detector.detection.silence_watch import Returns
from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array, Readings
from stream_detector.state.appended import Appended
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.timestamps import duration

#: Readings whose windows are searched at once for an earlier value.
_SEARCHED_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class RuleBatch:
    """M accepted readings, grouped by sensor and in log order within a sensor. S sensors."""

    appended: Appended
    readings: Readings  # of the batch, accepted or not
    values: Float32Array  # [M, F] for a counter, its rise
    table_rows: Int32Array  # [M] rows of the model's table of sensors, or UNKNOWN
    previous_ms: Int64Array  # [M] event time of the sensor's reading before; -1: there is none
    previous: Float32Array  # [M, F] the newest values before; NaN where the window has none
    first: Int64Array  # [S] each sensor's first reading
    last: Int64Array  # [S] its last
    group: Int64Array  # [M] 0 ... S-1
    returns: Returns | None = None  # readings that end a silence of their sensor, which has closed its incidents
    held: BoolArray | None = None  # [M, F] the feature said nothing new, and the value of before stands; None: none is
    hold_ms: int = 0  # for so long a value stands at most
    new_names: Mapping[int, Sequence[NewName]] | None = None  # of assembled readings, by reading: unknown names of its sensor

    @classmethod
    def of(
        cls,
        appended: Appended,
        readings: Readings,
        last_ms: Int64Array,
        table_rows: Int32Array,
        returns: Returns | None = None,
        *,
        held: BoolArray | None = None,
    ) -> RuleBatch:
        """Describe a batch; `last_ms` [N] was the newest time of each reading's sensor before the batch.

        `held` [N, F]: values of readings that stand because their features said nothing new.
        """
        is_first = appended.rank == 0
        earlier = np.concatenate([appended.times_ms[:1], appended.times_ms[:-1]])
        first, values = np.flatnonzero(is_first), appended.newest_values()
        previous = previous_values(appended, values)
        if appended.idle is not None:
            previous[appended.filled <= 1] = np.nan  # the reading before was idle, or is of before a gap
        return cls(
            appended=appended,
            readings=readings,
            values=values,
            table_rows=table_rows,
            previous_ms=np.where(is_first, last_ms[appended.reading], earlier),
            previous=previous,
            first=first,
            last=np.append(first[1:], len(is_first)) - 1 if len(first) else first,
            group=np.cumsum(is_first) - 1,
            returns=returns,
            held=None if held is None else held[appended.reading],
        )

    @property
    def is_idle(self) -> BoolArray:
        """Which readings [M] are outside of the state in which the model learned: the rules do not judge them."""
        return self.appended.is_idle

    def was_missing(self) -> BoolArray:
        """Return which features the sensor's reading before lacked [M, F]."""
        newest_row = self.appended.window_start + self.appended.window_length - 1
        return np.isnan(self.appended.extended_values[newest_row - 1])

    @property
    def slots(self) -> Int32Array:
        """The sensors' slots [S]."""
        return self.appended.slot[self.first]

    def sensor_state(self, position: int) -> str:
        """Return the state of the sensor as of a reading, as events name it."""
        if self.is_idle[position]:
            return IDLE_SENSOR
        if self.appended.filled[position] < self.appended.window_length:
            return WARMING
        return PROVISIONAL if self.table_rows[position] == UNKNOWN else READY

    def start_ms(self, position: int) -> int:
        """Return the event time of the first reading in the window that ends at a reading."""
        return int(self.appended.starts_ms(np.array([position]))[0])

    def interval_seconds(self, position: int) -> float:
        """Return the mean time between the readings in the window that ends at a reading; 0 for a single one."""
        steps = int(self.appended.filled[position]) - 1
        return (int(self.appended.times_ms[position]) - self.start_ms(position)) / 1000.0 / steps if steps > 0 else 0.0

    def lasts(self, position: int, run: int) -> str:
        """Say for how long a run of readings lasts that ends at a reading, by the mean interval of the window."""
        seconds = run * self.interval_seconds(position)
        return f"about {duration(seconds)} ({run} readings)" if seconds > 0 else f"{run} readings"

    def absent_for(self, position: int, run: int) -> str:
        """Say the same of readings without a value, and that the last one stood for a while before them, if values are held."""
        hold = f" beyond the hold of up to {duration(self.hold_ms / 1000)}" if self.hold_ms else ""
        return self.lasts(position, run) + hold


def previous_values(appended: Appended, values: Float32Array) -> Float32Array:
    """Return the value of each feature before each accepted reading [M, F]; NaN if its window has none.

    That is the value of the reading before, or, where that is missing, the newest in the window.
    """
    newest_row = appended.window_start + appended.window_length - 1
    previous = appended.extended_values[newest_row - 1]
    previous[appended.count <= 1] = np.nan
    gaps = np.flatnonzero((np.isnan(previous) & ~np.isnan(values)).any(axis=1))
    for start in range(0, len(gaps), _SEARCHED_AT_ONCE):
        chosen = gaps[start : start + _SEARCHED_AT_ONCE]
        previous[chosen] = np.where(np.isnan(previous[chosen]), _newest_in_window(appended, chosen), previous[chosen])
    return previous


def _newest_in_window(appended: Appended, chosen: Int64Array) -> Float32Array:
    """Return the newest value of each feature in the windows before these readings [K, F]; NaN without one."""
    earlier = appended.windows(chosen)[:, :-1]
    steps = np.arange(earlier.shape[1])[:, None]
    is_row = steps >= (appended.window_length - appended.filled[chosen])[:, None, None]
    at = np.where(is_row & ~np.isnan(earlier), steps, -1).max(axis=1, initial=-1)
    found = np.take_along_axis(earlier, np.maximum(at, 0)[:, None], axis=1)[:, 0]
    return np.asarray(np.where(at >= 0, found, np.float32(np.nan)))
