"""Decides which alarm budgets a calibration resolves, from the incidents that each allows in the calibration's readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.detection.budget_resolution import RESOLVING_INCIDENTS
from stream_detector.detection.calibration import alarms_per_reading

#: The budgets that a training report lists, in false alarms per sensor and day.
BUDGETS_PER_SENSOR_DAY = (0.01, 0.1, 1.0, 10.0)
RESOLVED, EXTRAPOLATED = "resolved", "extrapolated"


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """How well a calibration resolves one budget."""

    budget_per_sensor_day: float
    budget_per_fleet_day: float  # for the sensors of the calibration together
    alarms_per_reading: float
    expected_incidents: float  # in all readings of the calibration
    verdict: str  # RESOLVED, or EXTRAPOLATED: too few observations, so the threshold rests on the fitted tail


def budget_table(
    readings: int, sensors: int, sampling_interval_seconds: float, budgets: Sequence[float] = BUDGETS_PER_SENSOR_DAY
) -> tuple[BudgetRow, ...]:
    """Return a row per budget, for a calibration on `readings` readings of all `sensors` together.

    `sampling_interval_seconds` is the mean time between two scored readings of a sensor, over these readings.
    """
    return tuple(_row(budget, readings, sensors, sampling_interval_seconds) for budget in budgets)


def _row(budget: float, readings: int, sensors: int, interval_seconds: float) -> BudgetRow:
    rate = alarms_per_reading(budget, interval_seconds)
    expected = rate * readings
    return BudgetRow(
        budget_per_sensor_day=budget,
        budget_per_fleet_day=budget * sensors,
        alarms_per_reading=rate,
        expected_incidents=expected,
        verdict=RESOLVED if expected >= RESOLVING_INCIDENTS else EXTRAPOLATED,
    )
