"""Names the sensors of a dataset that never fill a window, and why: nothing is learned from them, and they are not scored."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Int64Array
from stream_detector.state.sensor_names import listed
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.sampling import sensor_paces
from stream_detector.timestamps import duration

#: A window of fewer readings learns little.
_SHORTEST = 8


def windowless_warning(dataset: Dataset, window_length: int) -> str:
    """Return which sensors of a cleaned dataset fill no window, why, and what to do; empty if all do.

    Raises InputDataError if no sensor has two readings.
    """
    gap_limits_ms = sensor_paces(dataset).gap_limits_ms()
    cuts = "" if dataset.follows_cut is None else "what was left out and "
    counts = np.bincount(dataset.codes, minlength=len(dataset.sensors))
    longest = _longest_runs(dataset, np.ceil(gap_limits_ms).astype(np.int64))
    without = np.flatnonzero((longest < window_length) & (counts > 0))
    if not len(without):
        return ""
    reasons: list[str] = []
    for code in without[np.argsort(-counts[without], kind="stable")].tolist():
        of_gaps = f", at most {longest[code]:,} between {cuts}gaps of over {duration(gap_limits_ms[code] / 1000.0)}"
        reasons.append(
            f"{listed([dataset.sensors[code]], 1)} ({counts[code]:,} readings{of_gaps if longest[code] < counts[code] else ''})"
        )
    shorter = int(longest[without].max())
    instead = f", or choose a --window-length of {shorter} or less" if shorter >= _SHORTEST else ""
    return (
        f"NEVER SCORED: {len(without):,} of {np.count_nonzero(counts):,} sensors fill no window of {window_length} readings, "
        f"so nothing is learned from them: {listed(reasons, len(without), are_shown=True)}. "
        f"Give them a longer history{instead}."
    )


def _longest_runs(dataset: Dataset, gap_limits_ms: Int64Array) -> Int64Array:
    """Return the most readings of each sensor [S] that follow each other without a gap."""
    longest = np.zeros(len(dataset.sensors), np.int64)
    restarts = ~dataset.goes_on()[1:] | (np.diff(dataset.times_ms) > gap_limits_ms[dataset.codes[1:]])
    starts = np.flatnonzero(np.concatenate([[True], restarts]))
    np.maximum.at(longest, dataset.codes[starts], np.diff(np.append(starts, len(dataset))))
    return longest
