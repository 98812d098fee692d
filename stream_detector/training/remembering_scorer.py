"""Decides at several budgets by the same scores: a scorer that remembers its errors, and settings at another budget."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from stream_detector.assembly import TrainedScorer
from stream_detector.detection.calibration import Calibration
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import Float32Array
from stream_detector.settings.schema import AlertSettings
from stream_detector.state.running_scale import Scales


def at_budget(alerts: AlertSettings, budget: float) -> AlertSettings:
    """Return the settings with another budget of false alarms per sensor and day, and none of the fleet."""
    return alerts.model_copy(update={"budget_per_sensor_day": budget, "budget_per_fleet_day": None, "fleet_size": None})


class RememberingScorer:
    """A scorer that remembers the errors of each batch: a decision at another budget asks for the same ones."""

    def __init__(self, scorer: TrainedScorer) -> None:
        self.spec: ModelSpec = scorer.spec
        self.calibration: Calibration = scorer.calibration
        self.fallback_deviation: Float32Array = scorer.fallback_deviation
        self.healthy: HealthyData = scorer.healthy
        self._scorer = scorer
        self._errors: dict[bytes, Float32Array] = {}

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See detection.scorer.Scorer."""
        digest = hashlib.blake2b(windows.tobytes())
        for array in (scales.location, scales.deviation):
            digest.update(array.tobytes())
        key = digest.digest()
        if key not in self._errors:
            self._errors[key] = self._scorer.start(windows, scales)()
        return lambda: self._errors[key]

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See detection.scorer.Scorer."""
        return self._scorer.explain(windows, scales)
