"""Lines in the log for what fails nothing and yet is news: readings refused, windows that do not fill, partitions not given."""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass

from stream_detector.detection.decision import OPENED
from stream_detector.pipeline.step_report import StepReport

logger = logging.getLogger(__name__)

_SECONDS = 60.0
#: Of the readings of a minute, those that start a window anew after a gap: sensors that pause now and then make few.
_RESTARTED_SHARE, _LEAST_RESTARTED = 0.1, 10
_JOINING_SECONDS = 5.0


class RefusalLog:
    """Logs how many readings were refused, and why: the first at once, then those of a minute together."""

    def __init__(self, dead_letter_topic: str, now: float) -> None:
        self._topic = dead_letter_topic
        self._since = now
        self._next_at = now
        self._reasons: Counter[str] = Counter()
        self._late = 0

    def note(self, report: StepReport, now: float) -> None:
        """Count what a step refused; log it if the last line is old enough."""
        self._reasons.update(report.dead_letters)
        self._late += report.late
        if now >= self._next_at:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Log what was counted since the last line, if anything was."""
        if not self._reasons and not self._late:
            return
        seconds, count = now - self._since, self._reasons.total()
        if count:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._reasons.most_common())
            said = "%s in the last %.0f s: %s; see topic %s"
            extra = {"dead_letters": dict(self._reasons)}
            logger.warning(said, _number(count, "dead letter"), seconds, reasons, self._topic, extra=extra)
        if self._late:
            said = "%s dropped in the last %.0f s: not newer than the sensor's newest"
            logger.info(said, _number(self._late, "late reading"), seconds, extra={"late_readings": self._late})
        self._reasons, self._late = Counter(), 0
        self._since, self._next_at = now, now + _SECONDS


class GapLog:
    """Warns, once a minute at most, when so many windows start anew that sensors are hardly scored."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._restarted = self._readings = 0

    def note(self, report: StepReport, now: float) -> None:
        """Count what a step did; look at it if a minute is over."""
        self._restarted += report.restarted_windows
        self._readings += report.readings
        if now - self._since < _SECONDS:
            return
        are_many = self._restarted >= _RESTARTED_SHARE * self._readings
        if are_many and self._restarted < _LEAST_RESTARTED:
            return  # of a small plant: counted on until it is sure
        if are_many:
            self._warn(now - self._since)
        self._since, self._restarted, self._readings = now, 0, 0

    def _warn(self, seconds: float) -> None:
        logger.warning(
            "%d of %d readings in the last %.0f s came so long after their sensor's last one that its window starts anew: a "
            "sensor is not scored until its window is full. Do the sensors send as often as in the training? Have all "
            "readings of a sensor the same key? STREAM_DETECTOR_STATE__MAX_GAP_SECONDS allows longer gaps",
            self._restarted,
            self._readings,
            seconds,
            extra={"restarted_windows": self._restarted, "readings": self._readings},
        )


class JoinLog:
    """Says once, each time, that a replica has had no partitions for a while."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._is_said = False

    def note(self, assigned: int, now: float) -> None:
        """Note how many partitions the replica has."""
        if assigned:
            self._since, self._is_said = now, False
        elif now - self._since > _JOINING_SECONDS and not self._is_said:
            self._is_said = True
            logger.info(
                "no partitions yet: the group waits for its members. One that ended without leaving is waited for up to "
                "STREAM_DETECTOR_KAFKA__SESSION_TIMEOUT_SECONDS; a replica beyond the number of partitions gets none"
            )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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
