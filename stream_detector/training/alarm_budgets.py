"""Which alarm budgets a calibration can vouch for: how many incidents each would have had in the calibration's readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.detection.calibration import alarms_per_reading
from stream_detector.timestamps import SECONDS_PER_DAY

#: The budgets that a training report lists, in false alarms per sensor and day.
BUDGETS_PER_SENSOR_DAY = (0.01, 0.1, 1.0, 10.0)
#: Expected incidents from which a rate is resolved, to a factor of about two: a count of 10 has the exact 95 % limits 4.8
#: and 18.4 of the Poisson distribution (Garwood 1936). Incidents that come in bursts say less than that.
RESOLVING_INCIDENTS = 10.0
RESOLVED, EXTRAPOLATED = "resolved", "extrapolated"


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What a calibration says about one budget."""

    budget_per_sensor_day: float
    budget_per_fleet_day: float  # for the sensors of the calibration together
    alarms_per_reading: float
    expected_incidents: float  # in all readings of the calibration
    verdict: str  # RESOLVED, or EXTRAPOLATED: the threshold is the fitted tail's, beyond what was seen often enough


def budget_table(
    readings: int, sensors: int, sampling_interval_seconds: float, budgets: Sequence[float] = BUDGETS_PER_SENSOR_DAY
) -> tuple[BudgetRow, ...]:
    """Return a row per budget, for a calibration on so many readings of so many sensors.

    `readings` counts those of all sensors together that the thresholds rest on; the interval is that between two scored
    readings of a sensor.
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


def smallest_resolved_budget(readings: int, sampling_interval_seconds: float) -> float:
    """Return the smallest budget, per sensor and day, that so many readings resolve; there must be readings."""
    return RESOLVING_INCIDENTS * SECONDS_PER_DAY / (readings * sampling_interval_seconds)


def budget_lines(rows: Sequence[BudgetRow]) -> list[str]:
    """Return the table as lines of text, a heading first."""
    heading = f"{'per sensor and day':>18}  {'per fleet and day':>17}  {'expected in calibration':>23}"
    return [heading] + [
        f"{row.budget_per_sensor_day:>18g}  {row.budget_per_fleet_day:>17g}  {row.expected_incidents:>23.3g}  {row.verdict}"
        for row in rows
    ]
