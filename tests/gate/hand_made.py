"""Trials written by hand."""

from __future__ import annotations

import numpy as np

from stream_detector.gate.fault_injection import InjectedFault
from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array


def trials_of(*faults: tuple[str, int, int], rows: int, features: int = 1, faulty: tuple[int, ...] = (0,)) -> Trials:
    """Return trials of so many rows, all of them judged, with a fault (kind, start, end) each; the values are 0."""
    is_faulty = np.zeros((len(faults), rows), np.bool_)
    for number, (_, start, end) in enumerate(faults):
        is_faulty[number, start:end] = True
    return Trials(
        values=np.zeros((len(faults), rows, features)),
        is_faulty=is_faulty,
        is_judged=np.ones((len(faults), rows), np.bool_),
        faults=tuple(InjectedFault(kind, faulty, start, end, 1.0) for kind, start, end in faults),
        runs=np.zeros(len(faults), np.int64),
        stretches=len(faults),
    )


def first_row_of(trials: Trials, number: int, healthy: Float64Array) -> int:
    """Return the row of a healthy run [N, F] at which a trial starts, by the values before the fault; -1 if there is none."""
    rows, before = len(trials.values[number]), trials.faults[number].start
    for first in range(len(healthy) - rows + 1):
        if np.array_equal(healthy[first : first + before], trials.values[number, :before], equal_nan=True):
            return first
    return -1
