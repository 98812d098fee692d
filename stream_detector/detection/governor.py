"""Keeps the alarm budget of each sensor: its incidents move its own limit, up fast and down slowly.

The balance of a sensor is the number of its incidents less those that the budget has allowed since, as in adaptive conformal
inference (Gibbs & Candes 2021). Up to a week's budget the limit stays. Beyond it, each incident widens the margin; where the
budget is not used up, the margin narrows. Both are bounded, so a large fault still alarms in a storm, and a sensor that has
long been quiet is not alarmed by noise. Readings that the budget allows for bring the balance down, which undoes it all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.readings import BoolArray, Float64Array

#: The change of the margin per incident, as a share of it; below a balance of 0 per incident that was allowed and did not come.
STEP_UP, STEP_DOWN = 0.15, 0.1
#: The bounds of the margin, as shares of it.
LEAST, MOST = 0.8, 1.5
#: Incidents beyond those allowed that change nothing: a week's budget, and at least so many.
SPARE_DAYS, LEAST_SPARE = 7.0, 2.0


@dataclass(frozen=True, slots=True)
class Governor:
    """The rules of one budget."""

    spare: float  # balance up to which the limit stays

    @classmethod
    def of(cls, budget_per_sensor_day: float) -> Governor:
        """Derive the rules from a budget."""
        return cls(max(LEAST_SPARE, SPARE_DAYS * budget_per_sensor_day))

    def factor(self, balance: Float64Array) -> Float64Array:
        """Return by what the margin is multiplied at these balances [G]."""
        over, under = np.maximum(balance - self.spare, 0.0), np.minimum(balance, 0.0)
        return np.clip(1.0 + STEP_UP * over + STEP_DOWN * under, LEAST, MOST)

    def after(self, balance: Float64Array, opened: BoolArray, allowed: Float64Array) -> Float64Array:
        """Return the balances [G] after a scored reading that opened an incident or not; `allowed` incidents per reading."""
        lowest, highest = (LEAST - 1.0) / STEP_DOWN, self.spare + (MOST - 1.0) / STEP_UP
        return np.clip(np.where(opened, balance + 1.0, balance - allowed), lowest, highest)
