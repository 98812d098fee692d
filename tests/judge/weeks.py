"""Counts the false incidents of each week, and whether they keep the budget.

Over any week, after the first day, at most three times the budget, and at least one, is allowed. Weeks follow one another; the
rest at the end is one too, with a budget for its length. A series of at most a day is one week as a whole, of which the first
day is not left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_detector.readings import Int64Array
from stream_detector.timestamps import SECONDS_PER_DAY

DAY_MS = round(1000 * SECONDS_PER_DAY)
WEEK_MS = 7 * DAY_MS
#: A week may have this many times its budget.
TIMES_BUDGET = 3.0


@dataclass(frozen=True, slots=True)
class Weeks:
    """The W weeks of a sensor, at least one."""

    incidents: tuple[int, ...]  # [W] that opened in each
    allowed: tuple[float, ...]  # [W]

    @property
    def kept(self) -> int:
        """How many weeks keep the budget."""
        return sum(count <= most for count, most in zip(self.incidents, self.allowed, strict=True))

    def as_json(self) -> dict[str, Any]:
        """Return the figures of a sensor."""
        return {
            "weeks": len(self.incidents),
            "weeks_kept": self.kept,
            "median_a_week": float(np.median(self.incidents)),
            "worst_week": max(self.incidents),
        }


def weeks_of(opened_ms: Int64Array, start_ms: int, end_ms: int, budget_per_day: float) -> Weeks:
    """Return the weeks of readings from `start_ms` to before `end_ms`, with the incidents that opened at [I]."""
    first_ms = start_ms + DAY_MS if end_ms - start_ms > DAY_MS else start_ms
    edges = np.append(np.arange(first_ms, end_ms, WEEK_MS), end_ms)
    days = np.diff(edges) / DAY_MS
    counts, _ = np.histogram(opened_ms, edges)
    return Weeks(tuple(counts.tolist()), tuple(np.maximum(1.0, TIMES_BUDGET * budget_per_day * days).tolist()))
