"""Logs conditions that break nothing but that an operator should know: rejected readings, gaps, excess alarms, no partitions.

Each monitor observes every step and limits how often it logs. None of them reads a clock.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass

from stream_detector.detection.transition import ANOMALY, OPENED
from stream_detector.pipeline.late_report import LateReport
from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.hour_jump_log import HourJumpLog
from stream_detector.service.lost_values_log import LostValuesLog
from stream_detector.service.missing_messages_log import MissingMessagesLog
from stream_detector.service.renamed_log import RenamedLog
from stream_detector.service.rules_log import RulesLog
from stream_detector.service.unusable_log import UnusableLog
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.sensor_names import new_line
from stream_detector.timestamps import duration

logger = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0
_HOUR_SECONDS = 3600.0
#: Windows that restart after a gap: a warning needs this share of the readings, and this many.
_RESTARTED_SHARE, _MIN_RESTARTED = 0.1, 10
#: The alarm rate is compared with the budget over this many hours.
_RATE_HOURS = 24
#: A warning needs more than this many times the budget, and this many incidents: fewer may be chance.
_BUDGET_FACTOR, _MIN_INCIDENTS = 2.0, 5
_JOIN_SECONDS = 5.0
#: For so long a member that was killed keeps its partitions, by default.
SESSION_SECONDS = 30.0
#: New sensors are gathered for so long, and so many of them are kept to choose the names from that a line has.
_GATHER_SECONDS, _NEW_NAMES = 2.0, 200


class LogMonitors:
    """All monitors of a running service."""

    def __init__(
        self, dead_letter_topic: str, now: float, known_sensors: SensorTable, session_seconds: float = SESSION_SECONDS
    ) -> None:
        self._new_sensors = NewSensorsLog(known_sensors)
        self._rejected = RejectedReadingsLog(dead_letter_topic, now)
        self._lost = LostValuesLog(now)
        self._missing = MissingMessagesLog(now)
        self._rules = RulesLog(now)
        self._renamed = RenamedLog(now)
        self._unusable = UnusableLog()
        self._gaps = GapLog(now)
        self._hour_jumps = HourJumpLog()
        self._alarm_rate = AlarmRateLog(now)
        self._unassigned = UnassignedLog(now, session_seconds)

    def know(self, sensors: SensorTable) -> None:
        """Take these sensors as those that the model knows, from now on."""
        self._new_sensors = NewSensorsLog(sensors)

    def observe(self, report: StepReport, budget_per_sensor_day: float, assigned: int, now: float) -> None:
        """Observe a step, with the alarm budget during it and the number of partitions after it."""
        self._rejected.observe(report, now)
        self._lost.observe(report, now)
        self._missing.observe(report.missing_messages, now)
        self._rules.observe(report, now)
        self._renamed.observe(report.renamed, now)
        self._unusable.observe(report, now)
        self._gaps.observe(report, now)
        self._hour_jumps.observe(report.hour_jumps, now)
        self._new_sensors.observe(report, now)
        self._alarm_rate.observe(report, budget_per_sensor_day, now)
        if not report.source_errors:  # their cause has a line of its own
            self._unassigned.observe(assigned, now)

    def finish(self, report: StepReport, now: float) -> None:
        """Observe the last step of an orderly stop."""
        self._rejected.observe(report, now)
        self._lost.observe(report, now)
        self._missing.observe(report.missing_messages, now)
        self._rules.observe(report, now)
        self._renamed.observe(report.renamed, now)

    def flush(self, now: float) -> None:
        """Log the counts that the monitors have not logged yet."""
        self._rejected.flush(now)
        self._lost.flush(now)
        self._missing.flush(now)
        self._rules.flush(now)
        self._renamed.flush(now)


class RejectedReadingsLog:
    """Logs how many readings became dead letters or came late: the first at once, then a summary per minute."""

    def __init__(self, dead_letter_topic: str, now: float) -> None:
        self._topic = dead_letter_topic
        self._since = now
        self._next_at = now
        self._reasons: Counter[str] = Counter()
        self._example = ""
        self._late = 0
        self._lateness = LateReport()

    def observe(self, report: StepReport, now: float) -> None:
        """Count the rejected readings of a step; log them if the last line is old enough."""
        self._reasons.update(report.dead_letters)
        self._example = self._example or report.example
        self._late += report.late
        self._lateness += report.lateness
        if now >= self._next_at:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Log the counts since the last line, unless all are zero."""
        if not self._reasons and not self._late:
            return
        seconds, count = now - self._since, self._reasons.total()
        if count:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._reasons.most_common())
            text = "%s in the last %.0f s: %s; see topic %s%s"
            example = f". For example {self._example}" if self._example else ""
            extra = {"dead_letters": dict(self._reasons)}
            logger.warning(text, _plural(count, "dead letter"), seconds, reasons, self._topic, example, extra=extra)
        if self._late:
            text = "dropped %s in the last %.0f s: not newer than the newest reading of the sensor"
            described = f" ({found})" if (found := self._lateness.describe()) else ""
            level = logging.WARNING if self._lateness.can_be_mended else logging.INFO
            arguments = (_plural(self._late, "late reading"), seconds, described)
            logger.log(level, text + "%s", *arguments, extra={"late_readings": self._late})
        self._reasons, self._example, self._late, self._lateness = Counter(), "", 0, LateReport()
        self._since, self._next_at = now, now + _MINUTE_SECONDS


class NewSensorsLog:
    """Announces sensors that the model does not know: once each, a few by name, in at most a line a minute."""

    def __init__(self, known: SensorTable) -> None:
        self._known = known
        self._first: list[str] = []  # names to choose from
        self._count = 0
        self._due = 0.0
        self._next_at = float("-inf")

    def observe(self, report: StepReport, now: float) -> None:
        """Count the new sensors of a step; announce them a moment after the first, so that a start has one line."""
        if report.new_sensors and not self._count:
            self._due = max(now + _GATHER_SECONDS, self._next_at)
        self._first += report.new_sensors[: max(0, _NEW_NAMES - len(self._first))]
        self._count += len(report.new_sensors)
        if self._count and now >= self._due:
            text = new_line(self._first, self._count, self._known)
            logger.info("%s", text, extra={"new_sensors": self._count})
            self._first, self._count, self._next_at = [], 0, now + _MINUTE_SECONDS


class GapLog:
    """Warns, at most once a minute, when windows restart so often that sensors are hardly ever scored."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._restarted = self._readings = 0

    def observe(self, report: StepReport, now: float) -> None:
        """Count the readings of a step; after a minute, warn if too many restarted a window."""
        self._restarted += report.restarted_windows
        self._readings += report.readings
        if now - self._since < _MINUTE_SECONDS:
            return
        are_many = self._restarted >= _RESTARTED_SHARE * self._readings
        if are_many and self._restarted < _MIN_RESTARTED:
            return  # few readings: keep counting until the share means something
        if are_many:
            self._warn(now - self._since)
        self._since, self._restarted, self._readings = now, 0, 0

    def _warn(self, seconds: float) -> None:
        logger.warning(
            "%d of %d readings in the last %.0f s restarted their sensor's window because they came too long after the "
            "previous reading; until its window is full, a sensor is scored by the few readings since, or not at all if the "
            "model does not know it. Check that sensors send as often as they "
            "did in training and that all readings of a sensor have the same key; "
            "STREAM_DETECTOR_STATE__MAX_GAP_SECONDS allows longer gaps",
            self._restarted,
            self._readings,
            seconds,
            extra={"restarted_windows": self._restarted, "readings": self._readings},
        )


@dataclass(slots=True)
class _Hour:
    """The counts of one hour."""

    incidents: int = 0
    sensor_days: float = 0.0  # of event time, which outruns the clock when the stream catches up
    accepted: float = 0.0  # false alarms, by the budgets in force


class AlarmRateLog:
    """Compares incidents with the budget once an hour, over up to a day, and warns when there are over twice as many."""

    def __init__(self, now: float) -> None:
        self._hours = deque([_Hour()], maxlen=_RATE_HOURS)
        self._next_at = now + _HOUR_SECONDS

    def observe(self, report: StepReport, budget_per_sensor_day: float, now: float) -> None:
        """Count the incidents of a step, without those of rules; compare them with the budget at the end of the hour."""
        hour = self._hours[-1]
        hour.incidents += report.alerts[ANOMALY, OPENED]
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
        if incidents < _MIN_INCIDENTS or incidents <= _BUDGET_FACTOR * accepted:
            return
        logger.warning(
            "%d incidents in %.3g sensor-days, but the budget accepts %.3g false alarms (over the last %d h; the incidents "
            "include true faults): see docs/metrics.md",
            incidents,
            sensor_days,
            accepted,
            len(self._hours),
            extra={"incidents": incidents, "sensor_days": sensor_days, "accepted": accepted},
        )


class UnassignedLog:
    """Logs once, each time it happens, that a replica has had no partitions for a while."""

    def __init__(self, now: float, session_seconds: float = SESSION_SECONDS) -> None:
        """A member that ended without leaving keeps its partitions for `session_seconds`."""
        self._since = now
        self._session_seconds = session_seconds
        self._is_logged = False

    def observe(self, assigned: int, now: float) -> None:
        """Observe how many partitions the replica has."""
        if assigned:
            self._since, self._is_logged = now, False
        elif now - self._since > _JOIN_SECONDS and not self._is_logged:
            self._is_logged = True
            text = "no partitions yet: %s; replicas in excess of the number of partitions get none"
            logger.info(text, waiting_for_group(self._session_seconds))


def waiting_for_group(session_seconds: float) -> str:
    """Say what a replica without partitions waits for, and for how long at most."""
    return (
        f"waiting for the group: a member that was killed keeps its partitions for up to {duration(session_seconds)} "
        "(STREAM_DETECTOR_KAFKA__SESSION_TIMEOUT_SECONDS)"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
