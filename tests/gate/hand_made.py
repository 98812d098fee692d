"""Trials written down by hand."""

from __future__ import annotations

import numpy as np

from stream_detector.gate.fault_injection import InjectedFault
from stream_detector.gate.trials import Trials


def trials_of(*faults: tuple[str, int, int], rows: int, features: int = 1, faulty: tuple[int, ...] = (0,)) -> Trials:
    """Return trials of so many rows, all of them judged, with a fault (kind, start, end) each; the values are 0."""
    inside = np.zeros((len(faults), rows), np.bool_)
    for number, (_, start, end) in enumerate(faults):
        inside[number, start:end] = True
    return Trials(
        values=np.zeros((len(faults), rows, features)),
        inside=inside,
        counts=np.ones((len(faults), rows), np.bool_),
        faults=tuple(InjectedFault(kind, faulty, start, end, 1.0) for kind, start, end in faults),
        runs=np.zeros(len(faults), np.int64),
        first_rows=np.zeros(len(faults), np.int64),
        stretches=len(faults),
    )
