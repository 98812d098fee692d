"""The hint at the time zone."""

from __future__ import annotations

import logging

import pytest

from stream_detector.service.hour_jump_log import HourJumpLog

DAY = 86_400.0


def test_times_that_go_back_by_an_hour_give_one_hint_a_day_with_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    log = HourJumpLog()
    with caplog.at_level(logging.WARNING):
        for found, now in (({}, 0.0), ({"a": 60, "c": 60, "b": 60}, 5.0), ({"d": 60}, 60.0), ({"e": 60}, 70.0)):
            log.observe(found, now)

    (line,) = caplog.messages
    assert line.startswith("the times of 3 sensors went back by an hour: a, b, c. ")
    assert "STREAM_DETECTOR_INPUT__TIME_ZONE" in line
    with caplog.at_level(logging.WARNING):
        log.observe({"a": 30, "b": 30}, 10.0 + DAY)
    assert "half an hour" in caplog.messages[1]


def test_one_sensor_is_enough_for_a_fleet_of_one_has_no_more(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        HourJumpLog().observe({"a": 60}, 0.0)

    assert caplog.messages[0].startswith("the times of a sensor went back by an hour: a. If that is the end of summer time")
