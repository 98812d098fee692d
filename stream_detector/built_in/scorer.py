"""Scores windows with the built-in model. Implements detection.scorer.Scorer; needs no TensorFlow, and nothing is compiled."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from stream_detector.built_in.members import LENGTH, NAMES, Residuals, are_measured, largest, residuals
from stream_detector.built_in.model import BUILT_IN, BuiltInModel, built_in_model
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.scorer import WindowErrors
from stream_detector.model.input_scaling import fill, scale, unscale
from stream_detector.readings import BoolArray, Float32Array
from stream_detector.state.record_layout import WindowShape
from stream_detector.state.running_scale import Scales

#: Windows that are scored at a time, which bounds the memory.
_CHUNK = 512


class BuiltIn:
    """A scorer of windows of these features, which must have LENGTH readings. It knows no sensor.

    Features of `context` are not scored, unless all are. `only_while` is the condition outside of which a sensor is idle.
    """

    def __init__(
        self, shape: WindowShape, model: BuiltInModel | None = None, context: Collection[str] = (), only_while: str = ""
    ) -> None:
        assert shape.window_length == LENGTH
        self._model, count = model or built_in_model(), len(shape.features)
        is_scored = np.array([name not in context for name in shape.features])
        self._scored: BoolArray = is_scored if is_scored.any() else ~is_scored
        self.spec = ModelSpec(
            name=BUILT_IN,
            version=self._model.version,
            features=shape.features,
            window_length=LENGTH,
            sampling_interval_seconds=0.0,  # not known: each sensor's own is learned from its readings
            members=NAMES,
            counters=shape.counters,
            only_while=only_while,
        )
        self.calibration = self._model.calibration(count)
        self.fallback_deviation: Float32Array = np.ones(count, np.float32)
        self.healthy = HealthyData.none(1, count)

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See Scorer. Scores at once."""
        chunks = (slice(first, first + _CHUNK) for first in range(0, len(windows), _CHUNK))
        parts = [self._log_errors(windows[chunk], scales.take(chunk)) for chunk in chunks]
        errors = np.concatenate(parts) if parts else np.empty((0, len(NAMES)), np.float32)
        return lambda: errors

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:
        """See Scorer. The expected value is the mean of the forecast and the sensor's mean: the other member expects none."""
        if not len(windows):
            return []
        found, filled, present = self._residuals(windows, scales)
        _, chosen = largest(found.errors(), self._are_scored(filled, present))
        by_feature, by_step = _shares(found, chosen, present)
        expected = np.zeros(windows.shape, np.float32)
        expected[:, -found.forecast.shape[1] :] = found.forecast / np.float32(2.0)
        in_units = unscale(expected, scales.location, scales.deviation)
        return [
            WindowErrors(np.empty(0, np.float32), *one)
            for one in zip(in_units, by_feature, by_step, ~present[:, -1], strict=True)
        ]

    def _log_errors(self, windows: Float32Array, scales: Scales) -> Float32Array:
        found, filled, present = self._residuals(windows, scales)
        return largest(found.errors(), self._are_scored(filled, present))[0]

    def _are_scored(self, filled: Float32Array, present: BoolArray) -> BoolArray:
        """Return which features of windows [N, T, F] are scored, [N, F]."""
        found = np.zeros((len(filled), filled.shape[2]), np.bool_)
        found[:, self._scored] = are_measured(filled[:, :, self._scored], present[:, :, self._scored])
        return found

    def _residuals(self, windows: Float32Array, scales: Scales) -> tuple[Residuals, Float32Array, BoolArray]:
        """Return the residuals of windows [N, T, F], the windows filled, and which values were present."""
        filled, present = fill(np.ascontiguousarray(windows), scales.location)
        return residuals(scale(filled, scales.location, scales.deviation), present, self._model.matrix), filled, present


def _shares(found: Residuals, chosen: BoolArray, present: BoolArray) -> tuple[Float32Array, Float32Array]:
    """Return each member's error as shares of the features [N, M, F] and of the steps [N, M, T]; each sums to 1.

    Without any error, the shares of all features, and of all rows with a value, are equal.
    """
    rows, features = present.shape[1:]
    by_feature, by_step = [], []
    has_value = np.asarray(present.any(axis=2), np.float32)
    for member, of_member in enumerate(found.of_members):
        cells = np.square(of_member) * chosen[:, member, np.newaxis]
        by_feature.append(_normalised(cells.sum(axis=1), np.full((len(cells), features), 1.0 / features, np.float32)))
        steps = np.pad(cells.sum(axis=2), ((0, 0), (rows - cells.shape[1], 0)))
        by_step.append(_normalised(steps, has_value / np.maximum(has_value.sum(axis=1, keepdims=True), 1.0)))
    return np.stack(by_feature, axis=1), np.stack(by_step, axis=1)


def _normalised(parts: Float32Array, otherwise: Float32Array) -> Float32Array:
    """Divide each row by its sum; a row of zeros becomes `otherwise`."""
    total = parts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, parts / np.where(total > 0, total, np.float32(1.0)), otherwise)
