"""The warning about nodes of which messages are missing."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from stream_detector.service.missing_messages_log import MissingMessagesLog


def test_the_first_is_logged_at_once_and_then_a_summary_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = MissingMessagesLog(0.0)
    with caplog.at_level(logging.WARNING):
        for missing, now in (({}, 0.0), ({"g/n": 3}, 5.0), ({"g/n": 1}, 6.0), ({"g/m": 2}, 20.0), ({}, 66.0)):
            log.observe(Counter(missing), now)

    assert [record.getMessage() for record in caplog.records] == [
        "messages are missing by their sequence numbers, in the last 5 s: 3 of g/n (docs/sparkplug.md)",
        "messages are missing by their sequence numbers, in the last 61 s: 2 of g/m, 1 of g/n (docs/sparkplug.md)",
    ]
