"""The model of these tests: default settings and architecture, but for a short fit. Trained once per run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.plant import training_data

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer


@pytest.fixture(scope="session")
def scorer() -> KerasScorer:
    """The trained model, compiled."""
    from stream_detector.adapters.keras_scorer import KerasScorer
    from stream_detector.training.preparation import TrainingConfig, prepare
    from stream_detector.training.trainer import train

    config = TrainingConfig(name="lessons", steps=60, max_linear_windows=3_000)
    return KerasScorer(train(prepare(training_data(), config), lambda *_: None).artifact)
