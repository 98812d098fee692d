"""The warning that incidents are far above the budget."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from stream_detector.detection.transition import ANOMALY, CLOSED, FROZEN, OPENED, UPDATED
from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.log_monitors import AlarmRateLog

HOUR = 3600.0


def counted(opened: int, sensor_days: float) -> StepReport:
    return StepReport(
        alerts=Counter({(ANOMALY, OPENED): opened, (ANOMALY, UPDATED): 100, (FROZEN, OPENED): 1000, (ANOMALY, CLOSED): opened}),
        sensor_days=sensor_days,
    )


def test_more_than_twice_the_budget_is_logged_with_numbers_at_the_end_of_the_hour(caplog: pytest.LogCaptureFixture) -> None:
    log = AlarmRateLog(now=0.0)

    log.observe(counted(3, 2.0), 1.0, 100.0)
    log.observe(counted(3, 0.5), 1.0, 3599.0)
    assert caplog.messages == []
    log.observe(counted(0, 0.0), 1.0, HOUR)

    assert caplog.messages == [
        "6 incidents in 2.5 sensor-days, but the budget accepts 2.5 false alarms (over the last 1 h; the incidents "
        "include true faults): see docs/metrics.md"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_twice_the_budget_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    AlarmRateLog(now=0.0).observe(counted(6, 3.0), 1.0, HOUR)

    assert caplog.messages == []


def test_four_incidents_are_too_few_to_judge_by(caplog: pytest.LogCaptureFixture) -> None:
    AlarmRateLog(now=0.0).observe(counted(4, 1.0), 0.01, HOUR)

    assert caplog.messages == []


def test_hours_add_up_to_a_day_and_then_the_oldest_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    log = AlarmRateLog(now=0.0)

    log.observe(counted(4, 0.1), 0.1, HOUR)
    log.observe(counted(1, 0.1), 0.1, 2 * HOUR)
    for hour in range(3, 27):
        log.observe(counted(0, 0.1), 0.1, hour * HOUR)

    # From the second hour to the 24th there are five in a day; then the first four are older than that.
    assert len(caplog.messages) == 23
    assert caplog.messages[0].startswith(
        "5 incidents in 0.2 sensor-days, but the budget accepts 0.02 false alarms (over the last 2 h;"
    )
    assert caplog.messages[-1].startswith(
        "5 incidents in 2.4 sensor-days, but the budget accepts 0.24 false alarms (over the last 24 h;"
    )


def test_each_hour_is_compared_with_its_own_budget(caplog: pytest.LogCaptureFixture) -> None:
    log = AlarmRateLog(now=0.0)

    log.observe(counted(10, 1.0), 10.0, HOUR)
    log.observe(counted(0, 1.0), 0.1, 2 * HOUR)

    assert caplog.messages == []  # ten were expected; 10.1 in both hours
