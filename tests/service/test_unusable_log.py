from __future__ import annotations

from collections import Counter

import pytest

from stream_detector.pipeline.step_report import StepReport
from stream_detector.service.unusable_log import UnusableLog


def test_a_sensor_that_falls_silent_while_its_records_are_dead_letters_is_said_to_send(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = UnusableLog()
    log.observe(StepReport(dead_keys=Counter({(b"pump-1", "not_json"): 3, (b"pump-2", "not_json"): 1})), 100.0)
    log.observe(StepReport(dead_keys=Counter({(b"pump-1", "too_large"): 1}), silent=["pump-3"]), 140.0)
    log.observe(StepReport(silent=["pump-1", "pump-3"]), 160.0)
    log.observe(StepReport(silent=["pump-2"]), 4000.0)  # its bad record is of more than an hour ago

    assert caplog.messages == [
        "'pump-1' is announced as silent, but it sends: in the last 60 s 4 of its records became dead letters, the last with "
        "reason too_large. `stream-detector dead-letters` shows them"
    ]


def test_no_more_than_some_thousand_keys_are_remembered_the_newest(caplog: pytest.LogCaptureFixture) -> None:
    log = UnusableLog()
    log.observe(StepReport(dead_keys=Counter({(b"first", "not_json"): 1})), 0.0)
    log.observe(StepReport(dead_keys=Counter({(str(number).encode(), "not_json"): 1 for number in range(10_000)})), 1.0)
    log.observe(StepReport(silent=["first", "9999"]), 2.0)

    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("'9999'")
