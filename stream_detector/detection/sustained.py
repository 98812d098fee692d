"""Small deviations that last: a running mean of each sensor's surprise, with a limit of its own.

A budget of one alarm in weeks is beyond what most histories show, so the limit of a single reading is far out on a fitted tail,
and a fault that is small but lasts never reaches it. Where the budget allows less than one incident in the readings that the
limit is fitted to, half of it goes to a running mean of the surprise. While that exceeds its own limit, a reading that exceeds
half the margin opens an incident. An open one is held, and ends, as any other.

A reading counts as at most CAP_STARTS times the start of the surprise's tail, so one spike is no fault that lasts.
"""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Float64Array

#: The running mean is over about so many readings: two windows.
HORIZON_COUNT = 128
SHARE = 2.0 / (HORIZON_COUNT + 1.0)
CAP_STARTS = 3.0
#: The share of the margin that opens an incident while the running mean exceeds its limit.
LOWERED = 0.5
#: A budget that allows at least so many incidents in the fitted readings needs no running mean.
ENOUGH_INCIDENTS = 1.0
#: The limit of a running mean that is not used. Finite, because limits are interpolated.
NEVER = 1.0e9


def after(mean: Float64Array, excess: Float64Array, cap: float) -> Float64Array:
    """Return the running means [G] after readings whose surprise exceeds the typical one by `excess` [G]; NaN: not scored."""
    return np.where(np.isnan(excess), mean, mean + SHARE * (np.minimum(excess, cap) - mean))
