"""Finds how often a tag is read, from the times of its messages: also where it is sent by exception, in some scans only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from stream_detector.readings import Float64Array

#: Fewer steps do not show whether they are multiples of a scan.
_FEWEST_STEPS = 12
#: The scan may be as short as these percentiles of the steps; a shorter step is chance.
_PERCENTILES = (2, 5, 10, 25, 50)
#: Nearly all steps are multiples of the scan, to a part of it. Of steps at random, two in five would be.
_SHARE, _NEAR = 0.9, 0.2


def scan_seconds(times_of_tags: Iterable[Sequence[int]]) -> tuple[float, bool]:
    """Return the median over tags of the time between two scans, by the times in ms of each one's messages.

    The second part says whether it is that of scans; otherwise it is the median time between two messages of a tag. A tag with
    few messages counts only if no tag has more. 0 without any step.
    """
    steps = [np.diff(np.unique(np.array(times, np.float64))) / 1000 for times in times_of_tags]
    long = [one for one in steps if len(one) >= _FEWEST_STEPS]
    found = [_scan(one) for one in long]
    scans = [one for one in found if one]
    if 2 * len(scans) > len(long):
        return float(np.median(scans)), True
    medians = [float(np.median(one)) for one in steps if len(one)]
    return (float(np.median(medians)) if medians else 0.0), False


def _scan(steps: Float64Array) -> float:
    """Return the longest time of which nearly all steps [N] are multiples; 0 if there is none."""
    for shortest in sorted(set(np.percentile(steps, _PERCENTILES).tolist()), reverse=True):
        scan = float(shortest)
        for _ in range(2):  # of the steps near to it, then of all
            near = np.abs(steps - scan) <= _NEAR * scan
            scan = float(np.median(steps[near])) if near.any() else scan
        multiples = np.round(steps / scan)
        off = np.abs(steps - multiples * scan)
        if np.mean((multiples >= 1) & (off <= _NEAR * scan)) >= _SHARE:
            return scan
    return 0.0
