"""The model of these tests, trained once per run: default settings and architecture, with a short fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.plant import training_data
from tests.sharing import computed_once, shared_directory

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer
    from stream_detector.model.artifact import Artifact


@pytest.fixture(scope="session")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> KerasScorer:
    """The trained model, compiled."""
    from stream_detector.adapters.keras_scorer import KerasScorer
    from stream_detector.training.preparation import TrainingConfig, prepare
    from stream_detector.training.trainer import train

    def trained() -> Artifact:
        config = TrainingConfig(name="scenarios", steps=60, max_linear_windows=3_000)
        return train(prepare(training_data(), config), lambda *_: None).artifact

    return KerasScorer(computed_once(shared_directory(tmp_path_factory), "scenarios-model", trained))
