"""The autoencoder as a member of the model: predicts masked values, each with a spread.

Its network (network.py) is trained to reconstruct masked values by the likelihood of a normal distribution. Its error is
measured in spreads, unlike a linear member's: where a mode of operation makes a value noisy, the same error counts less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from keras import ops

from stream_detector.model.input_scaling import scale
from stream_detector.model.static_covariates import Fleet
from stream_detector.model.tensor_types import Tensor
from stream_detector.model.xla_forward import Forward
from stream_detector.readings import BoolArray


@dataclass(frozen=True, slots=True)
class Windows:
    """N windows as the members read them; T steps, F features."""

    scaled: Tensor  # [N, T, F] filled and scaled
    present: Tensor  # [N, T, F] 1 where there was a value, else 0
    location: Tensor  # [N, F] of the sensor
    deviation: Tensor  # [N, F] of the sensor

    @classmethod
    def of(cls, filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> Windows:
        """Scale filled windows."""
        return cls(scale(filled, location, deviation, ops), ops.cast(present, "float32"), location, deviation)


@dataclass(frozen=True, slots=True)
class MaskedAutoencoder:
    """A network, run with the newest rows of all scored features masked at once."""

    forward: Forward
    fleet: Fleet
    scored: BoolArray  # [F]
    hidden_rows: int  # H <= R

    def expect(self, windows: Windows, without: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return centre and spread [N, H, F] of the newest H rows, and the attention weights [N, T].

        The steps where `without` [N, T] is 1 are hidden as well, all features of them; they must carry other steps' values.
        """
        scaled = windows.scaled
        steps, features = scaled.shape[1:]
        shown = np.ones((steps, features), np.float32)
        shown[steps - self.hidden_rows :, self.scored] = 0.0
        last = scaled[:, steps - self.hidden_rows - 1, np.newaxis]
        carried = ops.where(shown > 0, scaled, last)
        covariates = self.fleet.covariates(windows.location, windows.deviation, ops)
        observed = ops.max(windows.present, axis=-1)
        # What lies on a line is read like what was measured, of features that have a value.
        on_line = (1.0 - observed[:, :, np.newaxis]) * ops.max(windows.present, axis=1, keepdims=True)
        visible = (windows.present + on_line) * shown
        if without is not None:
            observed, visible = observed * (1.0 - without), visible * (1.0 - without[:, :, np.newaxis])
        head, attention = self.forward(carried, visible, observed, covariates)
        newest = head[:, -self.hidden_rows :]
        return newest[:, :, :features], newest[:, :, features:], attention
