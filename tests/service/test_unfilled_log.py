"""The warning about sensors that never have a full window."""

from __future__ import annotations

import logging

import pytest

from stream_detector.detection.unfilled import Unfilled
from stream_detector.service.unfilled_log import UnfilledLog


def test_it_names_some_with_their_interval_and_warns_again_only_of_more_and_after_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, one = UnfilledLog(), Unfilled(1, (("valve", 600.0),), 64)
    many = Unfilled(7, tuple((f"valve-{number}", 600.0) for number in range(5)), 64)

    with caplog.at_level(logging.WARNING):
        for found, now in ((Unfilled(), 0.0), (one, 5.0), (one, 4000.0), (many, 4005.0), (many, 9000.0)):
            log.observe(found, now)

    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith(
        "1 sensor never has a full window, because gaps restart it before there are 64 readings in a row: "
        "valve (a reading about every 10 min). A sensor that the model knows is scored by the few that there are, any other is "
        "never scored. STREAM_DETECTOR_STATE__MAX_GAP_SECONDS allows longer gaps"
    )
    assert "7 sensors never have a full window" in second
    assert "valve-4 (a reading about every 10 min) and 2 more" in second


def test_more_within_the_hour_wait_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    log = UnfilledLog()
    with caplog.at_level(logging.WARNING):
        for count, now in ((1, 0.0), (2, 60.0), (2, 3700.0)):
            log.observe(Unfilled(count, (("valve", 600.0),), 64), now)

    assert [record.getMessage().split(" never")[0] for record in caplog.records] == ["1 sensor", "2 sensors"]
