"""Lines in the log about readings that are refused, windows that do not fill, and partitions that do not come."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.log_monitors import GapLog, JoinLog, RefusalLog


def refused(late: int = 0, **reasons: int) -> StepReport:
    return StepReport(late=late, dead_letters=Counter(reasons))


def test_dead_letters_are_logged_at_once_and_then_once_a_minute_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog("dead", now=1000.0)

    log.note(refused(), 1001.0)
    log.note(refused(not_json=1), 1005.0)
    log.note(refused(not_json=30, wrong_type=6), 1006.0)
    log.note(refused(not_json=10), 1064.9)
    assert caplog.messages == ["1 dead letter in the last 5 s: 1 not_json; see topic dead"]
    log.note(refused(), 1065.0)

    assert caplog.messages[1:] == ["46 dead letters in the last 60 s: 40 not_json, 6 wrong_type; see topic dead"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_late_readings_have_a_line_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = RefusalLog("dead", now=0.0)

    log.note(refused(late=3), 2.0)

    assert caplog.messages == ["3 late readings dropped in the last 2 s: not newer than the sensor's newest"]
    assert caplog.records[0].levelno == logging.INFO


def test_nothing_refused_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = RefusalLog("dead", now=0.0)

    log.note(refused(), 100.0)
    log.flush(200.0)

    assert caplog.messages == []


def test_windows_that_start_anew_all_the_time_are_warned_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)
    for second in range(1, 180):
        log.note(StepReport(readings=10, restarted_windows=1), float(second))

    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("60 of 600 readings in the last 60 s came so long after their sensor's last one")
    assert "STREAM_DETECTOR_STATE__MAX_GAP_SECONDS" in caplog.messages[1]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(("readings", "restarted"), [(1000, 99), (9, 9), (0, 0)])
def test_few_windows_that_start_anew_are_no_news(readings: int, restarted: int, caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)

    log.note(StepReport(readings=readings, restarted_windows=restarted), 60.0)

    assert caplog.messages == []


def test_a_small_plant_is_warned_when_it_is_sure(caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)
    for minute in range(1, 6):
        log.note(StepReport(readings=2, restarted_windows=2), 60.0 * minute)

    assert [line[:36] for line in caplog.messages] == ["10 of 10 readings in the last 300 s "]


def test_a_long_quiet_time_does_not_hide_gaps(caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)
    for minute in range(1, 100):
        log.note(StepReport(readings=1_000_000), 60.0 * minute)

    log.note(StepReport(readings=20, restarted_windows=20), 6000.0)

    assert len(caplog.messages) == 1


def test_a_replica_without_partitions_says_so_once_each_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = JoinLog(now=0.0)
    for now, assigned in [(1.0, 0), (5.0, 0), (6.0, 0), (20.0, 0), (21.0, 2), (22.0, 0), (26.0, 0), (27.5, 0), (28.0, 0)]:
        log.note(assigned, now)

    assert len(caplog.messages) == 2
    assert all("no partitions yet" in line and "KAFKA__SESSION_TIMEOUT_SECONDS" in line for line in caplog.messages)
