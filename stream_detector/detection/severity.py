"""Grades a score by its ratio to its threshold."""

from __future__ import annotations

import numpy as np

from stream_detector.readings import Float64Array, FloatArray, Int64Array

#: The severities, worst first, with the ratio of score to threshold from which each applies. A score is a logarithm of how
#: rare an error is, so small ratios mean much.
SEVERITIES = ((2.5, "critical"), (1.6, "high"), (1.2, "medium"), (0.0, "low"))
#: An incident that becomes one of these is told of at once.
URGENT = ("high", "critical")
_LEAST_THRESHOLD = 1e-12


def ratio_of(score: Float64Array | float, threshold: Float64Array | float) -> Float64Array:
    """Return the ratio of a score to its threshold, or of each score [N]."""
    return np.asarray(score / np.fmax(threshold, _LEAST_THRESHOLD))


def severity_of(ratio: float) -> str:
    """Return the severity of a ratio of score to threshold."""
    return next((name for minimum, name in SEVERITIES if ratio >= minimum), SEVERITIES[-1][1])


def urgency(ratios: FloatArray) -> Int64Array:
    """Return how many of URGENT each ratio [N] of score to threshold reaches."""
    return np.searchsorted([least_ratio(name) for name in URGENT], ratios, side="right")


def least_ratio(severity: str) -> float:
    """Return the smallest ratio of a severity; 0 for one that is not known."""
    return next((minimum for minimum, name in SEVERITIES if name == severity), 0.0)
