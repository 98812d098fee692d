"""Finds sensors whose gaps restart their windows before these are full, so that they are scored by few rows, or never."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Int32Array, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.arena import Arena

#: A sensor is found once it has sent this many windows of readings without filling one.
WINDOWS = 4
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Unfilled:
    """Sensors that do not fill their windows."""

    count: int = 0
    some: tuple[tuple[str, float], ...] = ()  # of a few, the name and the interval in seconds; the longest first
    window_length: int = 0


class UnfilledWindows:
    """Counts the readings of each sensor in memory since its window was last full, or since it is in memory.

    The counts are no part of the sensors' state, and start over with the process.
    """

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._readings: Int64Array = np.zeros(0, np.int64)  # by slot

    def admit(self, slots: Int32Array) -> None:
        """Start over for these slots."""
        missing = len(self._arena.partitions) - len(self._readings)
        if missing > 0:
            self._readings = np.concatenate([self._readings, np.zeros(missing, np.int64)])
        self._readings[slots] = 0

    def count(self, appended: Appended, touched: Int32Array, groups: Int64Array, rows: Int64Array) -> None:
        """Count a batch of accepted readings, of the groups [M] of slots `touched` [S], which have so many `rows` [S]."""
        if appended.idle is not None:
            rows = rows - np.bincount(groups[appended.idle], minlength=len(touched))
        is_full = np.zeros(len(touched), np.bool_)
        is_full[groups[appended.filled == appended.window_length]] = True
        self._readings[touched] = np.where(is_full, 0, self._readings[touched] + rows)

    def find(self, window_length: int) -> Unfilled:
        """Return the sensors that have not filled a window of this many readings for WINDOWS windows. Scans all sensors."""
        arena = self._arena
        held = arena.partitions[: len(self._readings)] >= 0
        slots = np.flatnonzero(held & (self._readings >= WINDOWS * window_length))
        interval_ms = arena.records["header"]["interval_ms"][slots]
        order = np.argsort(-interval_ms, kind="stable")[:_NAMED].tolist()
        some = tuple([(arena.sensors[slots[at]], float(interval_ms[at]) / 1000.0) for at in order])
        return Unfilled(len(slots), some, window_length)
