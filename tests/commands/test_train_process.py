from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from stream_detector.commands.train_process import Ended, TrainProcess, cores_of
from stream_detector.settings.learning_settings import LearningSettings


@pytest.mark.parametrize(("given", "available", "cores"), [(None, 1, 1), (None, 8, 4), (3, 8, 3), (16, 8, 8)])
def test_a_training_has_the_given_processors_or_half_of_them(given: int | None, available: int, cores: int) -> None:
    assert cores_of(LearningSettings(cores=given), available) == cores


def run(tmp_path: Path, stop: threading.Event, **settings: float) -> Ended:
    """Train on a file that does not exist."""
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    arguments = ("--input", str(tmp_path / "none.csv"), "--output", str(tmp_path / "model"))
    learning = LearningSettings.model_validate(settings)
    try:
        return TrainProcess(learning, arguments, lock, lambda _: None).run(stop)
    finally:
        os.close(lock)


def test_the_failure_of_a_training_is_what_it_said_last(tmp_path: Path) -> None:
    ended = run(tmp_path, threading.Event())

    assert ended.failure is not None
    assert "none.csv" in ended.failure
    assert ended.failure.endswith("(exit code 1)")
    assert "none.csv" in ended.report[-1]


def test_a_training_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    ended = run(tmp_path, threading.Event(), train_seconds=0.001)

    assert ended.needs_less
    assert ended.failure == "it was not done within STREAM_DETECTOR_LEARNING__TRAIN_SECONDS (0.001)"
