from __future__ import annotations

import logging

import pytest

from stream_detector.service.collection import Amount, Enough
from stream_detector.service.learning_status import COLLECTING, TRAINING, LearningStatus
from stream_detector.service.metrics import Metrics
from stream_detector.service.watchdog import Heartbeat


def test_a_stage_is_logged_when_it_changes_and_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now, heartbeat, metrics = [1000.0], Heartbeat(0.0), Metrics()
    status = LearningStatus(heartbeat, metrics, lambda: now[0])

    for second, stage, text in ((0, COLLECTING, "a"), (5, COLLECTING, "b"), (59, TRAINING, "c"), (118, TRAINING, "d")):
        now[0] = 1000.0 + second
        status.say(stage, text)
    status.count(Amount(7, 2, 1.0, 8), Enough(10, 6))
    shown, exposed = heartbeat.learning, metrics.exposition().decode()
    now[0] = 1119.0
    status.say(TRAINING, "e")
    status.end()

    assert caplog.messages == ["learning: a", "learning: c", "learning: e"]
    assert shown == "d"
    assert 'stream_detector_learning{stage="training"} 1.0' in exposed
    assert "collecting" not in exposed.partition("\nstream_detector_learning{")[2].partition("\n")[0]
    assert "stream_detector_learning_readings 7.0" in exposed
    assert "stream_detector_learning_readings_needed 12.0" in exposed
    assert heartbeat.learning == ""
    assert 'stage="training"' not in metrics.exposition().decode()
