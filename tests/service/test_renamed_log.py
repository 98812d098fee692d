"""Questions about renamed tags in the log."""

from __future__ import annotations

import pytest

from stream_detector.service.renamed_log import RenamedLog


def test_the_first_questions_of_a_minute_are_logged_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    log = RenamedLog(0.0)
    for count, now in ((1, 1.0), (0, 2.0), (7, 3.0), (1, 4.0), (1, 61.0), (0, 130.0)):
        log.observe([f"{now:.0f}"] * count, now)

    assert caplog.messages == ["1", "3", "3", "3", "3", "4 more tags may have been renamed, in the last 61 s", "61"]
