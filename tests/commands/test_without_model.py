"""What `run` watches with while there is no model of the plant's own."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from stream_detector.commands.run_model import without_model
from stream_detector.settings.schema import Settings
from stream_detector.state.record_layout import WindowShape

FEATURES = ("pressure", "running")


def settings_with(**groups: dict[str, Any]) -> Settings:
    return Settings.model_validate(groups)


def test_the_built_in_model_watches_windows_of_its_length_and_only_the_rules_others(caplog: pytest.LogCaptureFixture) -> None:
    scored, others = (without_model(Settings(), WindowShape(FEATURES, length)) for length in (64, 32))

    assert (scored.detector.model.name, scored.is_scored, scored.has_model) == ("built-in", True, False)
    assert (others.detector.model.name, others.is_scored, others.has_model) == ("none", False, False)
    assert "the stored windows have 32 readings" in caplog.text


def test_a_setting_leaves_it_to_the_rules(caplog: pytest.LogCaptureFixture) -> None:
    watched = without_model(settings_with(model={"built_in": False}), WindowShape(FEATURES, 64))

    assert (watched.detector.model.name, watched.is_scored) == ("none", False)
    assert caplog.text == ""


def test_it_judges_machines_at_work_where_a_setting_says_when_they_are(caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_with(learning={"only_while": "running == 1"})
    with caplog.at_level(logging.WARNING):
        told, unknown = (without_model(settings, WindowShape(features, 64)) for features in (FEATURES, FEATURES[:1]))

    assert told.detector.model.only_while == "running == 1"
    assert unknown.detector.model.only_while == ""
    assert "learning.only_while 'running == 1' names running" in caplog.text
