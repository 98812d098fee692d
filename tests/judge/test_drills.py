from __future__ import annotations

from pathlib import Path

import numpy as np

from stream_detector.settings.schema import Settings
from tests.judge.drills import prepared_training


def test_the_training_is_prepared_as_train_does_by_its_options_and_the_settings(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=600)
    lines = (f"s,{1_700_000_000 + 60 * row},{value:.6f}" for row, value in enumerate(values.tolist()))
    (tmp_path / "train.csv").write_text("\n".join(["sensor_id,timestamp,level", *lines]))
    options = ("--input", str(tmp_path / "train.csv"), "--output", str(tmp_path / "model"))
    settings = Settings()

    by_setting = prepared_training(options, settings)
    by_option = prepared_training((*options, "--window-length", "16"), settings)

    assert by_setting.config.window_length == settings.learning.window_length == 64
    assert by_option.config.window_length == 16
    assert by_setting.dataset.features == ("level",)
