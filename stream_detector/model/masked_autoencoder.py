"""The autoencoder as a member of the score: it says what hidden values should be, and how far off that usually is.

Its network (network.py) is trained to give hidden values back (a masked autoencoder), by the likelihood of a normal
distribution. The spread is what the linear members lack: in a mode of operation in which a value is noisy, an error of the
same size says less. The error is measured in spreads.
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
    here: Tensor  # [N, T, F] 1 where there was a value, else 0
    location: Tensor  # [N, F] of the sensor
    deviation: Tensor  # [N, F] of the sensor

    @classmethod
    def of(cls, filled: Tensor, present: Tensor, location: Tensor, deviation: Tensor) -> Windows:
        """Scale filled windows."""
        return cls(scale(filled, location, deviation, ops), ops.cast(present, "float32"), location, deviation)


@dataclass(frozen=True, slots=True)
class MaskedAutoencoder:
    """A network and how it is asked: with the newest rows of the scored features hidden, all in one pass."""

    forward: Forward
    fleet: Fleet
    scored: BoolArray  # [F]
    hidden_rows: int  # H <= R

    def expect(self, windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
        """Return centre and spread [N, H, F] of the newest H rows, and the attention [N, T]."""
        scaled = windows.scaled
        steps, features = scaled.shape[1:]
        shown = np.ones((steps, features), np.float32)
        shown[steps - self.hidden_rows :, self.scored] = 0.0
        last = scaled[:, steps - self.hidden_rows - 1, np.newaxis]
        carried = ops.where(shown > 0, scaled, last)
        traits = self.fleet.traits(windows.location, windows.deviation, ops)
        there = ops.max(windows.here, axis=-1)
        head, attention = self.forward(carried, windows.here * shown, there, traits)
        newest = head[:, -self.hidden_rows :]
        return newest[:, :, :features], newest[:, :, features:], attention
