"""What healthy data show of each sensor: how often and for how long a value repeats or is missing, and its range.

Training fills it in (training/healthy_fit.py); limits.py derives the rules' limits from it. S sensors, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array

#: What fewer readings show of a sensor is not enough; it goes by what the fleet shows.
ENOUGH_READINGS = 1000


@dataclass(frozen=True, slots=True)
class HealthyData:
    """Counts of a training's readings, by sensor."""

    readings: Int64Array  # [S]
    pairs: Int64Array  # [S, F] readings with a value before them in their window
    repeats: Int64Array  # [S, F] of them, those that repeat it
    longest: Int32Array  # [S, F] longest run of repeats
    row_repeats: Int64Array  # [S] readings that repeat all values of the reading before
    row_longest: Int32Array  # [S] longest run of them
    missing: Int64Array  # [S, F] readings without a value
    longest_absent: Int32Array  # [S, F] longest run of them
    lowest: Float32Array  # [S, F] smallest value; NaN without any
    highest: Float32Array  # [S, F]
    step: Float32Array  # [S, F] a change by more is a step (turns.py); infinite: no size of steps tells anything
    counts_gaps: BoolArray  # [S, F] values that vanish and return are steps too
    span: Int32Array  # [S, F] readings within which the next step must come
    turns: Int32Array  # [S, F] most turns in a row
    scored: BoolArray  # [F] features that are not mere context

    @property
    def has_enough(self) -> BoolArray:
        """Which sensors [S] have enough readings to go by their own."""
        return np.asarray(self.readings >= ENOUGH_READINGS)

    def take(self, sensors: Int64Array) -> HealthyData:
        """Return that of these sensors [K] only."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return HealthyData(**{name: array if name == "scored" else array[sensors] for name, array in values.items()})

    @classmethod
    def none(cls, sensors: int, features: int) -> HealthyData:
        """Return that of no readings: nothing is known, so only limits that are set by hand apply."""
        counts, of_features = np.zeros(sensors, np.int64), np.zeros((sensors, features), np.int64)
        runs, unknown = of_features.astype(np.int32), np.full((sensors, features), np.nan, np.float32)
        return cls(
            readings=counts,
            pairs=of_features,
            repeats=of_features,
            longest=runs,
            row_repeats=counts,
            row_longest=counts.astype(np.int32),
            missing=of_features,
            longest_absent=runs,
            lowest=unknown,
            highest=unknown,
            step=np.full((sensors, features), np.inf, np.float32),
            counts_gaps=of_features > 0,
            span=runs + 1,
            turns=runs,
            scored=np.ones(features, np.bool_),
        )
