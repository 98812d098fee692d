"""Generates a fleet's readings with faults and missing values, piece by piece, together with the ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream_detector.readings import Float64Array, Int64Array
from stream_detector.simulation.faults import Fault, apply_faults, labels, missing
from stream_detector.simulation.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive steps of a series: S sensors, N steps, F features."""

    times_ms: Int64Array  # [N]
    values: Float64Array  # [S, N, F]; NaN = missing
    faults: tuple[Fault, ...]  # those that overlap these steps
    fault_of: Int64Array  # [S, N] position in `faults`; -1 = healthy
    started: tuple[Fault, ...]  # those that start in these steps


class Series:
    """Generates consecutive pieces. How the series is cut into pieces does not change its content."""

    def __init__(self, fleet: Fleet, start_ms: int, faults: Iterator[Fault], missing_share: float = 0.0) -> None:
        self.fleet = fleet
        self._start_ms = start_ms
        self._coming = faults  # by start time
        self._next_fault = next(faults, None)
        self._current: list[Fault] = []
        self._missing_share = missing_share
        self._step = 0

    def time_of_next_step_ms(self) -> int:
        """Return the event time of the next step."""
        return self._time_ms(self._step)

    def next_piece(self, steps: int) -> Piece:
        """Return the next `steps` steps."""
        times_ms = np.array([self._time_ms(self._step + step) for step in range(steps)], dtype=np.int64)
        self._step += steps
        values = self.fleet.values(np.arange(self.fleet.sensors), times_ms)
        started = self._start_faults_until(int(times_ms[-1]))
        faults = tuple(self._current)
        values = apply_faults(self.fleet, times_ms, values, faults)
        if self._missing_share > 0.0:
            values[missing(self.fleet, times_ms, self._missing_share)] = np.nan
        self._current = [fault for fault in self._current if fault.end_ms > times_ms[-1]]
        return Piece(times_ms, values, faults, labels(self.fleet, times_ms, faults), tuple(started))

    def _start_faults_until(self, time_ms: int) -> list[Fault]:
        started = []
        while self._next_fault is not None and self._next_fault.start_ms <= time_ms:
            started.append(self._next_fault)
            self._next_fault = next(self._coming, None)
        self._current += started
        return started

    def _time_ms(self, step: int) -> int:
        return self._start_ms + round(step * self.fleet.interval_seconds * 1000.0)
