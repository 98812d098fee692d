"""Finds the features whose new normal an accepted incident shows: only these are learned again, the others keep their limit.

Those that are away from where healthy data have them are hidden first. Then the features are hidden one after the other, each
time the one without which the newest window is least surprising, until it is no longer anomalous. If that takes more than half
of the features, the whole sensor has another point of operation, and all of them are learned again.

Nothing is learned again unless the newest window is as usual but for its level: a value that stands still, or a river in
spring, is no new normal. The limit rises then (decision.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.running_scale import Scales

#: From raw windows [N, T, F] and their scales to log errors [N, M]; blocks.
LogErrors = Callable[[Float32Array, Scales], Float32Array]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A reading at which an incident was accepted as the new normal state."""

    position: int  # of the accepted reading
    group: int
    levels: Float64Array  # [M] of the sensor
    units: Float64Array  # [M] of its errors above the levels (own_tails.py); 1 where the model's tails hold
    limit: float  # a surprise above it is anomalous


def scored_windows(appended: Appended, scales: Scales, chosen: Int64Array) -> Float32Array:
    """Return the windows [K, T, F] as of these accepted readings, without the features that are hidden there."""
    windows = appended.timed_windows(chosen)
    if scales.hidden is not None:
        hidden = scales.hidden[chosen]
        some = np.flatnonzero(hidden.any(axis=1))
        windows[some] = np.where(hidden[some][:, np.newaxis], np.float32(np.nan), windows[some])
    return windows


@dataclass(frozen=True, slots=True)
class AcceptedWindow:
    """The newest window [1, T, F] of an accepted incident, and what it is judged with."""

    window: Float32Array
    scale: Scales
    accepted: Acceptance
    log_errors: LogErrors
    rules: DecisionRules

    def shifted_features(self, away: BoolArray) -> BoolArray:
        """Return the features [F] to learn again; blocks. `away` [F] are those that have left the range of healthy data."""
        measured = ~np.isnan(self.window[0, -1])
        hidden = measured & away
        trials = hidden[np.newaxis] if hidden.any() else _one_more(hidden, measured)
        while len(trials) and hidden.sum() <= len(measured) // 2:
            surprises = self._surprises_without(trials)
            hidden = trials[surprises.argmin()]
            if surprises.min() <= self.accepted.limit:
                return np.asarray(hidden)
            trials = _one_more(hidden, measured)
        return np.asarray(measured)

    def is_new_level(self, features: BoolArray) -> bool:
        """Return whether the window is as usual but for the level of these features [F]; blocks.

        A feature must vary, and not much more than in healthy data: one that stands still or drifts has no level to learn.
        """
        values = self.window[0].astype(np.float64)
        present = ~np.isnan(values)
        count = np.maximum(present.sum(axis=0), 1)
        level = np.where(present, values, 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.where(present, np.square(values - level), 0.0).sum(axis=0) / count)
        least, most = (share * self.scale.deviation[0, features] for share in self.rules.usual_spread)
        if not ((deviation[features] >= least) & (deviation[features] <= most)).all():
            return False
        location = np.where(features, level, self.scale.location).astype(np.float32)
        moved = Scales(location, self.scale.deviation, self.scale.hidden)
        return bool(self._surprises(self.window, moved)[0] <= self.accepted.limit)

    def _surprises_without(self, hidden: BoolArray) -> Float64Array:
        """Return the surprise [K] without the features [K, F]; infinite if nothing is left to score."""
        windows = np.where(hidden[:, np.newaxis], np.float32(np.nan), self.window)
        return self._surprises(windows, self.scale.take(np.zeros(len(hidden), np.int64)))

    def _surprises(self, windows: Float32Array, scales: Scales) -> Float64Array:
        errors = self.log_errors(windows, scales).astype(np.float64)
        above_level = (errors - self.accepted.levels) / self.accepted.units
        surprises = (self.rules.tails.surprise(above_level) * self.rules.weights).sum(axis=1)
        return np.where(np.isnan(surprises), np.inf, surprises)


def _one_more(hidden: BoolArray, measured: BoolArray) -> BoolArray:
    """Return the features [F] with each one [K] of the measured others."""
    return hidden | np.eye(len(hidden), dtype=np.bool_)[measured & ~hidden]


def is_still_there(window: Float32Array, scales: Scales, features: BoolArray) -> bool:
    """Return whether these features [F] of a window [1, T, F] are where their scale says, within a deviation in the mean."""
    values = window[0][:, features].astype(np.float64)
    present = ~np.isnan(values)
    mean = np.where(present, values, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return bool((np.abs(mean - scales.location[0, features]) < scales.deviation[0, features]).all())
