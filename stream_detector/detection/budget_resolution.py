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
from stream_detector.timestamps import SECONDS_PER_DAY, duration

#: Expected incidents from which a rate is resolved, to a factor of about two: the exact 95 % Poisson limits of a count of 10
#: are 4.8 and 18.4 (Garwood 1936). Incidents that come in bursts resolve less.
RESOLVING_INCIDENTS = 10.0
#: The share of a history that the members are fitted to. The limit is fitted to the rest, but to at most so many readings.
FIT_SHARE, MOST_FITTED = 0.7, 200_000
#: Where a user reads more.
PAGE = "docs/false-alarms.md"


@dataclass(frozen=True, slots=True)
class BudgetResolution:
    """How well a budget of false alarms per sensor and day is known to be kept."""

    budget: float
    fitted: int  # readings that the limit was fitted to, of all sensors
    interval_seconds: float  # mean time between two of them at a sensor
    expected_incidents: float  # that the budget allows in these
    smallest_resolved: float  # budget that these readings resolve, rounded up to one digit
    needed_days: float | None  # of history per sensor that would resolve the budget; None: no history can
    most_fitted: int  # readings that the limit can be fitted to, of any history

    @property
    def is_resolved(self) -> bool:
        """Whether the budget allows enough incidents in the fitted readings to know their rate to a factor of about two."""
        return self.expected_incidents >= RESOLVING_INCIDENTS

    def lines(self) -> tuple[str, ...]:
        """Say whether the limit was checked against the budget; if not, in a second line what follows and what to do."""
        return (f"The {self.finding()}.",) if self.is_resolved else (f"The {self.finding()}.", self.advice())

    def finding(self) -> str:
        """Say whether the limit was checked against the budget, and on what it was set, without an end."""
        fitted, limit = duration(self.fitted * self.interval_seconds), f"alarm limit for {_in_words(self.budget)}"
        if self.is_resolved:
            allowed = _digits(self.expected_incidents, 2)
            return f"{limit} is checked: training set it on {fitted} of readings, all sensors together, which allow {allowed}"
        needed = duration(SECONDS_PER_DAY * RESOLVING_INCIDENTS / self.budget)
        return (
            f"{limit} is an estimate: training set it on {fitted} of readings, all sensors together, and would need {needed} "
            "of them to check it"
        )

    def advice(self) -> str:
        """Say what follows if the limit was not checked, and what would be."""
        checks = f"checks a budget of {self.smallest_resolved:g} or more ({PAGE})"
        if self.needed_days is None:
            most, interval = (duration(count * self.interval_seconds) for count in (self.most_fitted, 1))
            more = f"No longer history would check it: training uses {most} at most of a reading every {interval}. It {checks}"
        else:
            days = math.ceil(self.needed_days)
            more = f"About {days:,} day{'' if days == 1 else 's'} of history would check it; this one {checks}"
        return f"You need to set nothing: alarms may be more or fewer, and a sensor's own alarms then move its limit. {more}."


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
        interval_seconds=interval_seconds,
        expected_incidents=alarms_per_reading(budget, interval_seconds) * fitted,
        smallest_resolved=round_up(RESOLVING_INCIDENTS / (fitted * per_reading)),
        needed_days=needed_days(needed, interval_seconds, sensors) if needed <= most_fitted else None,
        most_fitted=most_fitted,
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


def _in_words(budget: float) -> str:
    """Return a budget; one below 1 a day also as how often that is."""
    often = f" (one in {_digits(1.0 / budget, 2)} days)" if budget < 1.0 else ""
    return f"{budget:g} false alarm{'' if budget == 1.0 else 's'} per sensor and day{often}"


def _digits(value: float, digits: int) -> str:
    """Return a number with so many digits that are not 0, and no exponent."""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if rounded >= 10.0 ** (digits - 1) else f"{rounded:g}"
