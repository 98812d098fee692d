"""What the training report of a model says about it: the figures of its own training, on its own held-back data.

Two models are compared on the same data. If those data are bad, a model that was trained on them looks better there than one
that was trained on good data. What each found in its own training tells then which history was the better one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_detector.gate.baseline_comparison import MODEL
from stream_detector.gate.promotion import REPORT_KEY, VERDICT_KEY

#: The figures come from other faults in other data, so only a plain difference counts: of the shares of the faults that are
#: found, by this many standard errors too, and of the mean average precision.
SHARE_MARGIN, ERRORS, RANKING_MARGIN = 0.05, 2.0, 0.1


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """The figures of a training; None: its report has none."""

    found: int | None = None  # faults alarmed in time, at the budget in force
    faults: int | None = None
    budget: float | None = None  # per sensor and day, at which they were counted
    ranking: float | None = None  # mean average precision

    def why_weaker_than(self, other: OwnFigures) -> str | None:
        """Say in figures why this training was plainly weaker than another; None if it was not."""
        if self._finds_fewer_than(other):
            return f"it finds {self.found} of {self.faults} faults there, that one {other.found} of {other.faults}"
        if self.ranking is not None and other.ranking is not None and other.ranking - self.ranking > RANKING_MARGIN:
            return f"it tells faulty from healthy readings by {self.ranking:.3f} there, that one by {other.ranking:.3f}"
        return None

    def _finds_fewer_than(self, other: OwnFigures) -> bool:
        if not self.faults or not other.faults or self.found is None or other.found is None or self.budget != other.budget:
            return False
        both = (self.found + other.found) / (self.faults + other.faults)
        error = math.sqrt(both * (1.0 - both) * (1.0 / self.faults + 1.0 / other.faults))
        return other.found / other.faults - self.found / self.faults > max(SHARE_MARGIN, ERRORS * error)


NO_FIGURES = OwnFigures()


def own_figures(report: Mapping[str, Any]) -> OwnFigures:
    """Read the figures from a training report; none from one that cannot be understood."""
    try:
        verdict, gate = report.get(VERDICT_KEY) or {}, report.get(REPORT_KEY) or {}
        kinds, ranked = verdict.get("alarmed") or [], gate.get("overall") or {}
        return OwnFigures(
            found=sum(int(one["found"]) for one in kinds) if kinds else None,
            faults=sum(int(one["injected"]) for one in kinds) if kinds else None,
            budget=float(verdict["budget_per_sensor_day"]) if kinds else None,
            ranking=float(ranked[MODEL]["auc_pr"]) if MODEL in ranked else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return NO_FIGURES
