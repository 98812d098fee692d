"""What `train` says of the weights that its network starts from."""

from __future__ import annotations

import pytest

from stream_detector.commands.model_options import describe_start
from stream_detector.training.preparation import TrainingConfig


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (TrainingConfig(), "begins with the built-in weights"),
        (TrainingConfig(from_scratch=True), "begins with random weights: as you asked"),
        (TrainingConfig(window_length=32), "begins with random weights: the built-in ones fit only a window and a network"),
    ],
)
def test_train_says_from_which_weights_its_network_starts_and_why(config: TrainingConfig, said: str) -> None:
    assert said in describe_start(config)
