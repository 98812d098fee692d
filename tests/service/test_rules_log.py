"""The log says what rules find and when it is over, a bounded number of lines a minute."""

from __future__ import annotations

from collections import Counter

import pytest

from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.rules_log import RulesLog


def report(count: int) -> StepReport:
    return StepReport(
        alerts=Counter({("missing_feature", "opened"): count, ("anomaly", "opened"): 3, ("frozen", "updated"): 2}),
        rule_lines=[f"line {number}" for number in range(count)],
    )


def test_each_incident_has_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log = RulesLog(0.0)

    log.observe(report(2), 1.0)
    log.observe(report(0), 70.0)

    assert caplog.messages == ["line 0", "line 1"]


def test_a_storm_has_twenty_lines_a_minute_and_its_count(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log = RulesLog(0.0)

    log.observe(report(15), 1.0)
    log.observe(report(15), 2.0)
    log.observe(report(15), 3.0)
    log.observe(report(1), 61.0)

    assert len(caplog.messages) == 22
    assert caplog.messages[20] == (
        "incidents of rules, not all of them logged above, in the last 61 s: 30 missing_feature opened"
    )
    assert caplog.messages[21] == "line 0"
