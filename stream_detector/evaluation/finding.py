"""Says whether an alarm found a fault: one that comes when the fault is half over, or later, helps nobody.

`demo`, `evaluate` and the injected faults of `train` all count by this function.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from stream_detector.readings import BoolArray, Int64Array

_Place = TypeVar("_Place", int, Int64Array)


def is_found(start: _Place, end: _Place, alarm: _Place) -> BoolArray:
    """Return whether an alarm lies in the first half of a fault from `start` to before `end`; its middle counts.

    All three are rows of a sensor, or all are times: numbers, or arrays that broadcast.
    """
    return np.asarray((alarm >= start) & (2 * (alarm - start) <= end - start))
