"""Says whether a calibration can check the budget in force, and which budgets it could."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stream_detector.timestamps import SECONDS_PER_DAY
from stream_detector.training.alarm_budgets import RESOLVING_INCIDENTS
from stream_detector.training.history import needed_days


@dataclass(frozen=True, slots=True)
class BudgetCheck:
    """How well a budget of false alarms per sensor and day is known to be kept."""

    budget: float
    expected_incidents: float  # that it allows in the readings of the calibration
    smallest_checked: float  # budget that these readings can check, rounded up to one digit
    needed_days: float | None  # of history per sensor that could check the budget; None: no history can
    smallest_possible: float  # budget that any history can check at this sampling interval, rounded up

    @property
    def is_checked(self) -> bool:
        """Whether the calibration allows enough incidents to know their rate to a factor of about two."""
        return self.expected_incidents >= RESOLVING_INCIDENTS


def check_budget(budget: float, readings: int, sensors: int, interval_seconds: float, most_readings: int) -> BudgetCheck:
    """Check a budget against a calibration on `readings` of all `sensors`, of at most `most_readings` that are ever used."""
    per_reading = interval_seconds / SECONDS_PER_DAY
    needed = RESOLVING_INCIDENTS / (budget * per_reading)
    return BudgetCheck(
        budget=budget,
        expected_incidents=budget * per_reading * readings,
        smallest_checked=round_up(RESOLVING_INCIDENTS / (readings * per_reading)),
        needed_days=needed_days(needed, interval_seconds, sensors) if needed <= most_readings else None,
        smallest_possible=round_up(RESOLVING_INCIDENTS / (most_readings * per_reading)),
    )


def round_up(value: float) -> float:
    """Return the next number with one digit that is not 0."""
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.1g}")
