"""Scores windows with the trained network. Implements ports.Scorer; needs TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream_detector.calibration import Calibration
from stream_detector.errors import ModelError
from stream_detector.explanation import Explanation
from stream_detector.model.artifact import Artifact, load_artifact
from stream_detector.model.autoencoder import restore_network
from stream_detector.model.scoring import Tiles, explanations, scores
from stream_detector.readings import Float32Array
from stream_detector.spec import ModelSpec


class KerasScorer:
    """A model, compiled and warm: the first call takes no longer than the others.

    Windows are scored in tiles of one shape, so a window's result does not depend, bit for bit, on what is scored with it.

    Raises ModelError when the model cannot be read or does not fit together.
    """

    def __init__(self, model: Path | Artifact, tile_rows: int = 256) -> None:
        artifact = model if isinstance(model, Artifact) else load_artifact(model)
        self.spec: ModelSpec = artifact.spec
        self.calibration: Calibration = artifact.calibration
        try:
            network = restore_network(artifact)
        except ValueError as error:
            msg = f"model {artifact.spec.name}: its weights do not fit its architecture ({error}); train the model anew"
            raise ModelError(msg) from None
        self._tiles = Tiles(artifact.scaler, self.spec.window_length, len(self.spec.features), tile_rows)
        self._score = scores(network, self._tiles, artifact.whitening)
        self._explain = explanations(network, self._tiles, artifact.whitening)
        blank = np.zeros((1, self.spec.window_length, len(self.spec.features)), np.float32)
        self.score(blank)
        self.explain(blank)

    def score(self, windows: Float32Array) -> Float32Array:
        """Score windows [N, T, F] of raw values, NaN = missing.

        Returns [N]: finite, >= 0; NaN where every scored feature is missing throughout.
        """
        if not len(windows):
            return np.empty(0, np.float32)
        (result,) = self._tiles.run(self._score, windows)
        return result

    def explain(self, windows: Float32Array) -> list[Explanation]:
        """Explain the scores of windows [N, T, F], one explanation each."""
        if not len(windows):
            return []
        outputs = self._tiles.run(self._explain, windows)
        return [Explanation(*fields) for fields in zip(*outputs, strict=True)]
