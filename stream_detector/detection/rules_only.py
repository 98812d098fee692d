"""What stands in for a model while there is none: it scores nothing, so only the rules find anything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.record_layout import WindowShape
from stream_detector.state.running_scale import Scales

#: The model's name and version in events and metrics.
NO_MODEL = "none"


class RulesOnly:
    """A scorer without a model: every error is NaN, no sensor is known, and nothing was learned. Implements Scorer."""

    def __init__(self, shape: WindowShape) -> None:
        features = len(shape.features)
        self.spec = ModelSpec(
            name=NO_MODEL,
            version=NO_MODEL,
            features=shape.features,
            window_length=shape.window_length,
            sampling_interval_seconds=0.0,  # not known: each sensor's own is learned from its readings
            members=(NO_MODEL,),
            counters=shape.counters,
        )
        self.calibration = _calibration(features)
        self.fallback_deviation: Float32Array = np.ones(features, np.float32)
        self.healthy = HealthyData.none(1, features)

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:  # noqa: ARG002 - of the port
        """See Scorer. No window has an error."""
        errors = np.full((len(windows), 1), np.nan, np.float32)
        return lambda: errors

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:  # noqa: ARG002 - of the port
        """See Scorer. Only windows with an error are explained, and there are none."""
        return []


def _calibration(features: int) -> Calibration:
    """Return the calibration of a model without sensors, whose one member never has an error."""
    none = np.empty((0, features), np.float32)
    return Calibration(
        members=(NO_MODEL,),
        weights=np.ones(1),
        tails=Tails(np.zeros((1, 1)), np.zeros(1), np.ones(1)),
        pooled_level=np.zeros(1),
        typical=0.0,
        tail_start=0.0,
        tail_rate=1.0,
        tail_scale=1.0,
        tail_shape=0.0,
        readings=1,
        sensors=SensorTable({}, none, none, np.empty((0, 1)), np.empty(0)),
    )
