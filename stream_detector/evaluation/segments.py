"""Finds runs of flagged rows."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import BoolArray, Int64Array


def find_segments(flags: BoolArray) -> Int64Array:
    """Return the runs of True in flags [N] as [R, 2]: the first position of each run, and the position after its last."""
    edges = np.diff(flags.astype(np.int8), prepend=np.int8(0), append=np.int8(0))
    return np.flatnonzero(edges).astype(np.int64, copy=False).reshape(-1, 2)
