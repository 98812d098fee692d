"""What `run` says when a model begins to watch."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from stream_detector.commands.run_model import Watched
from stream_detector.commands.run_pipeline import Status
from stream_detector.detection.budget_resolution import resolve_budget
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.service.metrics import Metrics
from stream_detector.service.watchdog import Heartbeat
from stream_detector.settings.schema import Settings
from tests.pipeline.replica_config import MODEL, ReplicaConfig


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (0.1, "The alarm limit for 0.1 false alarms per sensor and day (one in 10 days) is an estimate: "),
        (5.0, "The alarm limit for 5 false alarms per sensor and day is checked: "),
    ],
)
def test_a_model_that_begins_to_watch_says_whether_its_training_checked_the_budget(
    budget: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = replace(ReplicaConfig().rules(), resolution=resolve_budget(budget, 6_048, 1, 60.0))
    decoder = JsonDecoder(MODEL.features, InputLimits(max_record_bytes=1_000, max_sensor_id_bytes=100, max_future_ms=1_000))
    watched = Watched(ReplicaConfig().detector(), decoder, lambda _alerts, _rules: rules, has_model=True)

    Status(Settings(), Metrics(), Heartbeat(0.0)).show(watched, rules)

    assert [one.levelno for one in caplog.records if one.message.startswith(said)] == [logging.INFO]
    assert len([one for one in caplog.records if one.message.startswith("The alarm limit for")]) == 1
