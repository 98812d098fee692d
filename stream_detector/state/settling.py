"""Tells whether the running scale of a feature has settled: from then on it stands still.

A scale that is learnt from part of a slow cycle is too small for the rest. So the moments are compared with those of half as
many values: at `learned_count` values, and if they still move then, at each doubling, up to MOST_DOUBLINGS of it.
"""

from __future__ import annotations

import numpy as np

from stream_detector.readings import BoolArray, Float64Array, Int64Array
from stream_detector.state.record_layout import Records

#: A scale has settled if twice as many values change its deviation by at most this share, and move its mean by at most this
#: share of the deviation. A sixth of a slow cycle already moves it further.
SETTLED_SHARE = 0.15
#: A scale that does not settle is frozen after this many doublings of the count from which it is learned.
MOST_DOUBLINGS = 4
#: Changes of this share of the mean are rounding errors: the moments of before are kept in single precision.
_ROUNDING = 1.0e-6


def have_settled(moments: Records, learned_count: int, most_count: Int64Array) -> BoolArray:
    """Return which moments [G, F] count at least `most_count` [G, 1] values, or are at a checkpoint and hardly move.

    The first such checkpoint is `learned_count`.
    """
    count = moments["count"]
    enough = count >= learned_count
    if not enough.any():
        return np.asarray(enough)
    return np.asarray(enough & ((count >= most_count) | (are_at_checkpoint(count, learned_count) & _stand_still(moments))))


def keep_checkpoints(moments: Records, chosen: BoolArray, learned_count: int) -> None:
    """Keep what the chosen moments [G, F] are now, where they are at a checkpoint, in place."""
    chosen = chosen & are_at_checkpoint(moments["count"], learned_count)
    if chosen.any():
        for name, values in (("earlier_mean", moments["mean"]), ("earlier_deviation", deviation_of(moments))):
            moments[name] = np.where(chosen, np.clip(values, *_SINGLE), moments[name])


def are_at_checkpoint(count: Int64Array, learned_count: int) -> BoolArray:
    """Return which counts are half of `learned_count`, or a power of two times as many."""
    halves, rest = np.divmod(count.astype(np.int64), max(1, learned_count // 2))
    return np.asarray((rest == 0) & (halves > 0) & (halves & (halves - 1) == 0))


def deviation_of(moments: Records) -> Float64Array:
    """Return the standard deviations [G, F]; 0 without a value."""
    return np.asarray(np.sqrt(moments["squares"] / np.maximum(moments["count"], 1.0)))


def _stand_still(moments: Records) -> BoolArray:
    """Return which moments [G, F] are about where they were at the checkpoint before."""
    mean, deviation = moments["mean"], deviation_of(moments)
    earlier = moments["earlier_deviation"].astype(np.float64)
    rounding = _ROUNDING * np.abs(mean)
    moved = np.abs(mean - moments["earlier_mean"]) > SETTLED_SHARE * deviation + rounding
    widened = np.maximum(deviation, earlier) > (1.0 + SETTLED_SHARE) * np.minimum(deviation, earlier) + rounding
    return np.asarray(~moved & ~widened)


_SINGLE = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
