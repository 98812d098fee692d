"""An outage is logged when it begins and when it ends."""

from __future__ import annotations

import logging

import pytest

from stream_detector.logs import OutageLog
from tests.fakes.clock import Clock

logger = logging.getLogger("stream_detector.of_a_test")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_the_first_of_many_failures_is_logged_and_then_the_duration(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    outage = OutageLog(logger, clock, "the pump runs again")

    with caplog.at_level(logging.DEBUG):
        for attempt in range(5):
            outage.failed("the pump stands: attempt %d", attempt)
            clock.advance(1.5)
        outage.ended()

    assert warnings(caplog) == ["the pump stands: attempt 0", "the pump runs again after 7.5 s"]
    assert len(caplog.records) == 6  # the others are there for who looks


def test_each_outage_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    outage = OutageLog(logger, Clock())

    for _ in range(2):
        outage.failed("the pump stands")
        outage.ended()

    assert warnings(caplog) == ["the pump stands"] * 2


def test_without_an_outage_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    outage = OutageLog(logger, Clock(), "the pump runs again")

    with caplog.at_level(logging.DEBUG):
        outage.ended()

    assert caplog.records == []
