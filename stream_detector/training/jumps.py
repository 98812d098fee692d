"""Finds single values that jump away from those around them and back, by random distances: failed reads, not the process.

They may lie anywhere, so their distribution does not tell them (far_values.py); their neighbours do. A process has spikes too,
but of all sizes, or of one: here nothing may lie between the usual steps and the jumps, which differ widely and go both ways.
On the public series of docs/quality.md no column has such jumps, whichever family is left out.
"""

from __future__ import annotations

import numpy as np

from stream_detector.readings import BoolArray, Float64Array

#: Fewer values, or jumps, than this show nothing; more than this share of the values are of the process.
FEWEST_VALUES, FEWEST_JUMPS, LARGEST_SHARE = 200, 10, 0.03
#: A jump is this many times the distance from its neighbours that this share of the values do not exceed.
JUMP, USUAL_SHARE = 8.0, 0.9
#: Of half that size there may be this many for each jump; this share of the jumps are alone; and this share go either way.
LARGEST_BETWEEN, SMALLEST_ALONE, SMALLEST_WAY = 0.25, 0.7, 0.15
#: The distance that all but a tenth of the jumps have is exceeded this many times by the farthest tenth.
SMALLEST_SPREAD = 4.0


def find_jumps(values: Float64Array) -> BoolArray:
    """Mark the jumps in values [N] of one sensor in order of time, without missing ones; none unless they are failed reads."""
    none = np.zeros(len(values), np.bool_)
    if len(values) < FEWEST_VALUES:
        return none
    away = values - _of_neighbours(values)
    distance = np.abs(away)
    limit = JUMP * float(np.quantile(distance, USUAL_SHARE))
    jumps = distance > limit
    count = int(np.count_nonzero(jumps))
    if limit == 0.0 or not FEWEST_JUMPS <= count <= LARGEST_SHARE * len(values):
        return none
    between = np.count_nonzero((distance > limit / 2.0) & ~jumps)
    beside = np.append(False, jumps[:-1]) | np.append(jumps[1:], False)
    upwards = float(np.mean(away[jumps] > 0))
    nearest, farthest = np.quantile(distance[jumps], (0.1, 0.9))
    is_failed = (
        between <= LARGEST_BETWEEN * count
        and np.count_nonzero(jumps & ~beside) >= SMALLEST_ALONE * count
        and SMALLEST_WAY <= upwards <= 1.0 - SMALLEST_WAY
        and farthest >= SMALLEST_SPREAD * nearest
    )
    return jumps if is_failed else none


def _of_neighbours(values: Float64Array) -> Float64Array:
    """Return the median of the two values before and the two after each [N]; an end counts twice or three times there."""
    padded = np.pad(values, 2, mode="edge")
    around = np.sort(np.stack([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]]), axis=0)
    return np.asarray(0.5 * (around[1] + around[2]))
