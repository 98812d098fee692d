"""Says whether the readings that the limit was fitted to resolve a budget of false alarms, and which budgets they do.

The limit is where the fitted tail of healthy scores allows as many incidents as the budget. A budget that allows few in the
readings that were fitted rests on the tail, not on what was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.calibration import Calibration, alarms_per_reading
from stream_detector.state.known_sensors import SensorTable
from stream_detector.timestamps import SECONDS_PER_DAY

#: Expected incidents from which a rate is resolved, to a factor of about two: the exact 95 % Poisson limits of a count of 10
#: are 4.8 and 18.4 (Garwood 1936). Incidents that come in bursts resolve less.
RESOLVING_INCIDENTS = 10.0
#: The share of a history that the members are fitted to. The limit is fitted to the rest, but to at most so many readings.
FIT_SHARE, MOST_FITTED = 0.7, 60_000


@dataclass(frozen=True, slots=True)
class BudgetResolution:
    """How well a budget of false alarms per sensor and day is known to be kept."""

    budget: float
    fitted: int  # readings that the limit was fitted to, of all sensors
    expected_incidents: float  # that the budget allows in these
    smallest_resolved: float  # budget that these readings resolve, rounded up to one digit
    needed_days: float | None  # of history per sensor that would resolve the budget; None: no history can
    smallest_possible: float  # budget that any history resolves at this sampling interval, rounded up

    @property
    def is_resolved(self) -> bool:
        """Whether the budget allows enough incidents in the fitted readings to know their rate to a factor of about two."""
        return self.expected_incidents >= RESOLVING_INCIDENTS

    def in_words(self) -> str:
        """Say in one line whether the budget is resolved and, if not, what follows and what to do."""
        return f"budget of {self.budget:g} false alarms per sensor and day is {self._finding()}"

    def evidence(self) -> str:
        """Say what the limit of the budget rests on, without an end."""
        expected = self.expected_incidents
        if expected >= 1.0:
            return f"it allows {_digits(expected, 2)} incidents in the {self.fitted:,} readings that the limit was fitted to"
        return (
            f"it allows one incident in {_digits(self.fitted / expected, 3)} readings, but the limit was fitted to "
            f"{self.fitted:,}: it rests on how the tail of healthy scores goes on, {_digits(1.0 / expected, 2)} times beyond "
            "what was seen, which nothing has checked"
        )

    def _finding(self) -> str:
        if self.is_resolved:
            return f"resolved: {self.evidence()}"
        return f"NOT RESOLVED: {self.evidence()}. Real ones may be many more, or far fewer. {self._cure()}"

    def _cure(self) -> str:
        larger = f"set a budget of {self.smallest_resolved:g} or more"
        if self.needed_days is None:
            return (
                f"To know that it is kept, {larger}, or count the incidents of healthy days; no history of such readings "
                f"resolves less than {self.smallest_possible:g}"
            )
        return f"To know that it is kept, train on about {math.ceil(self.needed_days):,} days of each sensor, or {larger}"


def resolve_budget(
    budget: float, fitted: int, sensors: int, interval_seconds: float, most_fitted: int = MOST_FITTED
) -> BudgetResolution:
    """Compare a budget with a limit fitted to readings of all `sensors`; at most `most_fitted` are ever used.

    `interval_seconds` is the mean time between two scored readings of a sensor, over the fitted readings.
    """
    per_reading = interval_seconds / SECONDS_PER_DAY
    needed = RESOLVING_INCIDENTS / (budget * per_reading)
    return BudgetResolution(
        budget=budget,
        fitted=fitted,
        expected_incidents=alarms_per_reading(budget, interval_seconds) * fitted,
        smallest_resolved=round_up(RESOLVING_INCIDENTS / (fitted * per_reading)),
        needed_days=needed_days(needed, interval_seconds, sensors) if needed <= most_fitted else None,
        smallest_possible=round_up(RESOLVING_INCIDENTS / (most_fitted * per_reading)),
    )


def resolution_of(calibration: Calibration, budget: float, stride: int, usual_seconds: float) -> BudgetResolution | None:
    """Return how well a model's calibration resolves a budget, where one of `stride` readings is scored; None: of no sensor.

    Each sensor counts with its own interval, or `usual_seconds` in a model that knows none.
    """
    if not len(calibration.sensors):
        return None
    seconds = stride * mean_interval_seconds(calibration.sensors, usual_seconds)
    return resolve_budget(budget, calibration.readings, len(calibration.sensors), seconds)


def mean_interval_seconds(table: SensorTable, usual_seconds: float) -> float:
    """Return the mean time between readings, over those that the levels were learned from, by their own sensors' intervals.

    So many seconds are watched per reading there: fast sensors have most readings, slow ones most of the time.
    """
    if not len(table.interval_ms) or not table.counts.any():
        return usual_seconds
    return float(np.average(table.interval_ms.astype(np.float64), weights=table.counts)) / 1000.0


def needed_days(readings: float, interval_seconds: float, sensors: int) -> float:
    """Return how long a history must be for this many readings in the part that the limit is fitted to, in days."""
    return readings * interval_seconds / SECONDS_PER_DAY / (1.0 - FIT_SHARE) / sensors


def round_up(value: float) -> float:
    """Return the next number with one digit that is not 0."""
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.1g}")


def _digits(value: float, digits: int) -> str:
    """Return a number with so many digits that are not 0, and no exponent."""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if rounded >= 10.0 ** (digits - 1) else f"{rounded:g}"
