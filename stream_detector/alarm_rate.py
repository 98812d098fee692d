"""A warning in the log when far more incidents are opened than the alarm budget accepts."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from stream_detector.decision import OPENED
from stream_detector.reports import StepReport

logger = logging.getLogger(__name__)

_HOUR_SECONDS = 3600.0
_HOURS = 24
#: Fewer incidents say little about a rate.
_LEAST_INCIDENTS = 5
_FACTOR = 2.0


@dataclass(slots=True)
class _Hour:
    """What was counted in an hour of the clock."""

    incidents: int = 0
    sensor_days: float = 0.0  # of event time, which runs ahead of the clock when the stream catches up
    accepted: float = 0.0  # false alarms, by the budgets that were in force


class AlarmRateLog:
    """Compares incidents with the budget over up to a day, once an hour, and logs when there are more than twice as many."""

    def __init__(self, now: float) -> None:
        self._hours = deque([_Hour()], maxlen=_HOURS)
        self._next_at = now + _HOUR_SECONDS

    def note(self, report: StepReport, budget_per_sensor_day: float, now: float) -> None:
        """Count what a step did; log it if the hour is over and it was too much."""
        hour = self._hours[-1]
        hour.incidents += report.alerts[OPENED]
        hour.sensor_days += report.sensor_days
        hour.accepted += report.sensor_days * budget_per_sensor_day
        if now >= self._next_at:
            self._compare()
            self._hours.append(_Hour())
            self._next_at = now + _HOUR_SECONDS

    def _compare(self) -> None:
        incidents = sum(hour.incidents for hour in self._hours)
        sensor_days = sum(hour.sensor_days for hour in self._hours)
        accepted = sum(hour.accepted for hour in self._hours)
        if incidents < _LEAST_INCIDENTS or incidents <= _FACTOR * accepted:
            return
        logger.warning(
            "%d incidents in %.3g sensor-days, the budget accepts %.3g false ones (counted over %d h; true faults are among "
            "them): see docs/metrics.md",
            incidents,
            sensor_days,
            accepted,
            len(self._hours),
            extra={"incidents": incidents, "sensor_days": sensor_days, "accepted": accepted},
        )
