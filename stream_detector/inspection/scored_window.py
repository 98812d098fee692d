"""Scores a stored window again, with the levels and the memory of its sensor, as the detector scored its newest reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.detection.decision import Fold
from stream_detector.detection.explanation import explain
from stream_detector.detection.partial_windows import is_scorable
from stream_detector.detection.scored_readings import Decisions, ScoredReadings
from stream_detector.detection.scorer import Scorer
from stream_detector.detection.sustained import SHARE
from stream_detector.inspection.judge import Model
from stream_detector.inspection.window import StoredWindow
from stream_detector.readings import Float32Array, Float64Array, Int32Array
from stream_detector.state.record_layout import NO_INCIDENT, Records
from stream_detector.state.running_scale import Scales, stored_scales


@dataclass(frozen=True, slots=True)
class BeyondHealthy:
    """The value of the newest reading that is farthest beyond what the sensor's healthy readings have, as windows hold it."""

    feature: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model says about a window. T steps, F features."""

    score: float
    threshold: float
    margin_factor: float
    expected: Float64Array  # [T, F] as windows hold values; NaN of a feature that is not scored now
    feature_share: Float32Array  # [F] share of the surprise; sums to 1
    step_share: Float32Array  # [T] share of the surprise, oldest first; sums to 1
    held_above: float = math.inf  # a higher score holds an open incident open
    beyond: BeyondHealthy | None = None  # which holds it open too; None: no value is

    @property
    def is_anomalous(self) -> bool:
        """Whether a reading with this score opens an incident."""
        return self.score > self.threshold


def score_window(scorer: Scorer, model: Model, records: Records, table_rows: Int32Array, window: StoredWindow) -> Scored | None:
    """Score the window of the only record [1]; None if it cannot be scored. Blocks.

    The record has the state after its newest reading, so what that reading added to the memory is taken out first. Levels have
    moved by that reading too, which is not undone: the score may differ in its last digits from that of an event.
    """
    is_known = is_scorable(np.array([window.rows]), len(window.values), table_rows, model.rules.partial)
    scales = stored_scales(records, table_rows, model.scales)
    windows = _visible(window.values, scales)
    if not is_known[0] or not window.rows:
        return None
    errors = scorer.start(windows, scales)()
    if np.isnan(errors).any():
        return None
    beyond = model.rules.beyond(window.newest[np.newaxis], scales, table_rows)
    readings = replace(_reading(records["header"], errors, window.rows), beyond=beyond, settling=scales.are_settling)
    header = _before(records["header"], int(records["header"]["last_offset"][0]))
    surprise = _decided(header.copy(), table_rows, readings, model)
    header = _without_newest(header, float(surprise.surprises[0].sum()) + surprise.beyond_at(0)[0], window, model)
    decided = _decided(header, table_rows, readings, model)
    (found,) = scorer.explain(windows, scales)
    explained = explain(found, decided.surprises[0], decided.beyond_at(0))
    expected = np.where(_scored_features(model, scales), found.expected.astype(np.float64), np.nan)
    return Scored(
        score=float(decided.scores[0]),
        threshold=float(decided.thresholds[0]),
        margin_factor=float(decided.factors[0]),
        expected=np.where(window.is_row[:, np.newaxis], expected, np.nan),
        feature_share=explained.feature_share,
        step_share=explained.step_share,
        held_above=float(decided.held_above[0]),
        beyond=_beyond(decided, window, scales, table_rows, model),
    )


def _beyond(
    decided: Decisions, window: StoredWindow, scales: Scales, table_rows: Int32Array, model: Model
) -> BeyondHealthy | None:
    surprise, feature = decided.beyond_at(0)
    healthy = model.rules.healthy_range
    if healthy is None or not surprise > 0.0:
        return None
    location, deviation = float(scales.location[0, feature]), float(scales.deviation[0, feature])
    low, high = (location + deviation * float(one[table_rows[0], feature]) for one in (healthy.low, healthy.high))
    return BeyondHealthy(model.shape.features[feature], float(window.newest[feature]), low, high)


def _visible(values: Float32Array, scales: Scales) -> Float32Array:
    """Return the window [1, T, F] without the features that are hidden from the members."""
    hidden = np.zeros(values.shape[1], np.bool_) if scales.hidden is None else scales.hidden[0]
    return np.where(hidden, np.float32(np.nan), values)[np.newaxis]


def _scored_features(model: Model, scales: Scales) -> Float64Array:
    scored = np.ones(len(model.shape.features), np.bool_) if model.scales.scored is None else model.scales.scored
    return np.asarray(scored if scales.hidden is None else scored & ~scales.hidden[0])


def _reading(header: Records, errors: Float32Array, rows: int) -> ScoredReadings:
    """Return the newest reading in the form that the decision takes."""
    one = np.zeros(1, np.int64)
    return ScoredReadings(
        groups=one,
        ranks=one,
        times_ms=header["last_time_ms"].astype(np.int64),
        places=header["last_offset"].astype(np.int64),
        errors=errors,
        wanted=np.ones(1, np.bool_),
        scorable=np.ones(1, np.bool_),
        interval_ms=header["interval_ms"],
        jump_ms=one,
        rows=np.array([rows]),
    )


def _before(header: Records, newest_offset: int) -> Records:
    """Return the header without an incident that the newest reading opened."""
    result = header.copy()
    if result["incident_offset"][0] == newest_offset:
        result["incident_offset"] = NO_INCIDENT
    return result


def _without_newest(header: Records, surprise: float, window: StoredWindow, model: Model) -> Records:
    """Return the header with the memory and the running mean of before the newest reading, whose surprise this is."""
    rules, result = model.rules, header.copy()
    share = rules.memory_share
    result["memory"] = (header["memory"] - share * surprise) / (1.0 - share)
    if window.rows == len(window.values):
        excess = min(surprise - rules.typical, rules.sustained_cap)
        result["sustained"] = (header["sustained"] - SHARE * excess) / (1.0 - SHARE)
    return result


def _decided(header: Records, table_rows: Int32Array, readings: ScoredReadings, model: Model) -> Decisions:
    fold = Fold(model.rules, readings)
    fold.step(header, table_rows, np.zeros(1, np.int64))
    return fold.finished()
