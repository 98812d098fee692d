"""The accepted readings of a batch, as the rules read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.events import PROVISIONAL, READY, WARMING
from stream_detector.detection.silence_watch import Returns
from stream_detector.readings import Float32Array, Int32Array, Int64Array, Readings
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.windows import Appended


@dataclass(frozen=True, slots=True)
class RuleBatch:
    """M accepted readings, grouped by sensor and in log order within a sensor. S sensors."""

    appended: Appended
    readings: Readings  # of the batch, accepted or not
    values: Float32Array  # [M, F] for a counter, its rise
    table_rows: Int32Array  # [M] rows of the model's table of sensors, or UNKNOWN
    previous_ms: Int64Array  # [M] event time of the sensor's reading before; -1: there is none
    first: Int64Array  # [S] each sensor's first reading
    group: Int64Array  # [M] 0 ... S-1
    returns: Returns | None = None  # readings that end a silence of their sensor, which has closed its incidents

    @classmethod
    def of(
        cls,
        appended: Appended,
        readings: Readings,
        last_ms: Int64Array,
        table_rows: Int32Array,
        returns: Returns | None = None,
    ) -> RuleBatch:
        """Describe a batch; `last_ms` [N] was the newest time of each reading's sensor before the batch."""
        is_first = appended.rank == 0
        earlier = np.concatenate([appended.times_ms[:1], appended.times_ms[:-1]])
        return cls(
            appended=appended,
            readings=readings,
            values=appended.newest_values(),
            table_rows=table_rows,
            previous_ms=np.where(is_first, last_ms[appended.reading], earlier),
            first=np.flatnonzero(is_first),
            group=np.cumsum(is_first) - 1,
            returns=returns,
        )

    def sensor_state(self, position: int) -> str:
        """Return the state of the sensor as of a reading, as events name it."""
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
