"""Log lines about rejected readings, windows that do not fill, and missing partitions."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from stream_detector.pipeline.late_report import LateReport
from stream_detector.pipeline.step_report import StepReport
from stream_detector.readings import Lost
from stream_detector.service.log_monitors import GapLog, NewSensorsLog, RejectedReadingsLog, UnassignedLog
from stream_detector.service.lost_values_log import LostValuesLog
from tests.state.test_sensor_names import table


def rejected(late: int = 0, **reasons: int) -> StepReport:
    return StepReport(late=late, dead_letters=Counter(reasons))


def test_dead_letters_are_logged_at_once_and_then_once_a_minute_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    log = RejectedReadingsLog("dead", now=1000.0)

    log.observe(rejected(), 1001.0)
    first = rejected(not_json=1)
    first.example = "t partition 0 offset 7: Expecting value"
    log.observe(first, 1005.0)
    log.observe(rejected(not_json=30, wrong_type=6), 1006.0)
    log.observe(rejected(not_json=10), 1064.9)
    assert caplog.messages == [
        "1 dead letter in the last 5 s: 1 not_json; see topic dead. For example t partition 0 offset 7: Expecting value"
    ]
    log.observe(rejected(), 1065.0)

    assert caplog.messages[1:] == ["46 dead letters in the last 60 s: 40 not_json, 6 wrong_type; see topic dead"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_late_readings_have_their_own_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = RejectedReadingsLog("dead", now=0.0)

    log.observe(rejected(late=3), 2.0)

    assert caplog.messages == ["dropped 3 late readings in the last 2 s: not newer than the newest reading of the sensor"]
    assert caplog.records[0].levelno == logging.INFO


def test_late_readings_that_somebody_can_mend_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    log = RejectedReadingsLog("dead", now=0.0)
    report = StepReport(late=3, lateness=LateReport(Counter(a=3), looked_at=3, orderly=2, behind_ms=[9000] * 3))

    log.observe(report, 2.0)

    assert caplog.records[0].levelno == logging.WARNING
    assert "of a; 9 s late; most are newer than the late one before" in caplog.messages[0]


def test_without_rejected_readings_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = RejectedReadingsLog("dead", now=0.0)

    log.observe(rejected(), 100.0)
    log.flush(200.0)

    assert caplog.messages == []


def test_windows_that_restart_all_the_time_are_warned_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)
    for second in range(1, 180):
        log.observe(StepReport(readings=10, restarted_windows=1), float(second))

    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith(
        "60 of 600 readings in the last 60 s restarted their sensor's window because they came too"
    )
    assert "STREAM_DETECTOR_STATE__MAX_GAP_SECONDS" in caplog.messages[1]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(("readings", "restarted"), [(1000, 99), (9, 9), (0, 0)])
def test_few_restarted_windows_are_not_logged(readings: int, restarted: int, caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)

    log.observe(StepReport(readings=readings, restarted_windows=restarted), 60.0)

    assert caplog.messages == []


def test_a_small_plant_is_warned_once_the_share_means_something(caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)
    for minute in range(1, 6):
        log.observe(StepReport(readings=2, restarted_windows=2), 60.0 * minute)

    assert [line[:36] for line in caplog.messages] == ["10 of 10 readings in the last 300 s "]


def test_a_long_quiet_time_does_not_hide_gaps(caplog: pytest.LogCaptureFixture) -> None:
    log = GapLog(now=0.0)
    for minute in range(1, 100):
        log.observe(StepReport(readings=1_000_000), 60.0 * minute)

    log.observe(StepReport(readings=20, restarted_windows=20), 6000.0)

    assert len(caplog.messages) == 1


def test_a_replica_without_partitions_logs_it_once_each_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = UnassignedLog(now=0.0, session_seconds=45.0)
    for now, assigned in [(1.0, 0), (5.0, 0), (6.0, 0), (20.0, 0), (21.0, 2), (22.0, 0), (26.0, 0), (27.5, 0), (28.0, 0)]:
        log.observe(assigned, now)

    assert len(caplog.messages) == 2
    bound = "keeps its partitions for up to 45 s (STREAM_DETECTOR_KAFKA__SESSION_TIMEOUT_SECONDS)"
    assert all("no partitions yet: waiting for the group" in line and bound in line for line in caplog.messages)


def test_unusable_values_are_said_with_whose_they_are_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = LostValuesLog(now=0.0)
    report = StepReport(tombstones=2)
    report.lost_values.update({Lost("pump-3", "temperature", "says_missing", "'Bad'"): 7})

    with caplog.at_level(logging.INFO):
        log.observe(report, now=1.0)
        report.lost_values.update({Lost("pump-4", "temperature", "says_missing", "'Bad'"): 2})
        for second in range(2, 62):
            log.observe(report, now=float(second))

    assert [record.getMessage() for record in caplog.records] == [
        "missing in the last 1 s: temperature of pump-3: 'Bad' 7 times",
        "skipped 2 records without a value in the last 1 s",
        "missing in the last 60 s: temperature of pump-3 and 1 more: 'Bad' 540 times",
        "skipped 120 records without a value in the last 60 s",
    ]


def test_the_memory_of_unusable_values_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = LostValuesLog(now=0.0)
    log.observe(StepReport(tombstones=1), now=0.0)
    for number in range(120):
        kinds = {Lost(f"pump-{number}-{one}", "x", "not_a_number", repr(f"{one} bar")): 1 for one in range(100)}
        log.observe(StepReport(lost_values=Counter(kinds)), now=1.0)
    caplog.clear()

    log.flush(now=61.0)

    assert "x of other sensors and 10,000 more: other values 2,000 times" in caplog.text
    assert "others 9,800 times (not a number)" in caplog.text


def test_new_sensors_are_announced_once_in_a_line_that_gathers_those_of_a_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = NewSensorsLog(table("0819"))

    for second, names in enumerate([["819", "a"], ["b"], [], [], []]):
        log.observe(StepReport(new_sensors=names), float(second))
    assert caplog.messages == [
        "3 new sensors that the model does not know: 819 - did you mean 0819?, a, b. "
        "Provisional until scale and level are learned"
    ]

    log.observe(StepReport(new_sensors=[f"late-{number}" for number in range(1000)]), 10.0)
    log.observe(StepReport(new_sensors=["last"]), 61.9)
    assert len(caplog.messages) == 1
    log.observe(StepReport(), 63.0)

    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("1,001 new sensors that the model does not know: late-0, late-1, ")
    assert "and 996 more" in caplog.messages[1]
