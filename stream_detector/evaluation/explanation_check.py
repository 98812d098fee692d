"""Checks a model's explanations on the highest-scoring windows of an evaluation.

This module chooses the windows and adapts the model to a CellScorer; faithfulness.py and attention_check.py measure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.explanation import Explanation, explain
from stream_detector.detection.scorer import Scorer
from stream_detector.evaluation.attention_check import AttentionCheck, Expecter, check_attention
from stream_detector.evaluation.faithfulness import Comparison, faithfulness
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.lost_readings import timed
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset

MOST_WINDOWS = 64


@dataclass(frozen=True, slots=True)
class FixedScorer:
    """A CellScorer for variants of N windows. The scale and levels of each window's sensor stay fixed."""

    scorer: Scorer
    calibration: Calibration
    scales: Scales  # [N]
    levels: Float64Array  # [N, M]
    expected: Float32Array  # [N, T, F]

    def surprises(self, windows: Float32Array) -> Float64Array:
        """Return the members' weighted surprises [N, M]."""
        above_level = self.scorer.start(windows, self.scales)().astype(np.float64) - self.levels
        return self.calibration.tails.surprise(above_level) * self.calibration.weights

    def score(self, windows: Float32Array) -> Float32Array:
        """See faithfulness.CellScorer. A window without any value scores 0."""
        return np.asarray(np.nan_to_num(self.surprises(windows).sum(axis=1)), np.float32)

    def replace(self, windows: Float32Array, cells: BoolArray) -> Float32Array:
        """See faithfulness.CellScorer."""
        return np.where(cells, self.expected, windows)


@dataclass(frozen=True, slots=True)
class ExplanationChecks:
    """What was measured of the explanations, as JSON-like data."""

    explanations: dict[str, Any] | None = None  # of each kind, how far the score falls; None: there is no window
    attention: dict[str, Any] | None = None  # how far the expectation moves; None: there is no window, or no network


def check_explanations(
    scorer: Scorer,
    calibration: Calibration,
    dataset: Dataset,
    scores: Float64Array,
    *,
    window_length: int,
    seed: int,
    network: Expecter | None = None,
) -> ExplanationChecks:
    """Measure faithfulness on the windows with the highest scores [N] of a dataset, of sensors known to the model.

    The scores are NaN where a window is not full. Without a `network`, attention is not checked by what that expects.
    """
    ends = _most_surprising(calibration, dataset, scores, window_length)
    if not len(ends):
        return ExplanationChecks()
    table = calibration.sensors
    rows = table.find([dataset.sensors[code] for code in dataset.codes[ends].tolist()])
    windows = np.stack([_window(dataset, int(end), window_length) for end in ends])
    scales = Scales(table.location[rows], table.deviation[rows])
    errors = scorer.explain(windows, scales)
    fixed = FixedScorer(
        scorer, calibration, scales, calibration.start_levels()[rows], np.stack([one.expected for one in errors])
    )
    explanations: list[Explanation] = [
        explain(one, surprises) for one, surprises in zip(errors, fixed.surprises(windows), strict=True)
    ]
    found = faithfulness(fixed, windows, explanations, random=np.random.default_rng(seed))
    by_kind = {"shares": _as_json(found.cells), "step_shares": _as_json(found.steps), "attention": _as_json(found.attention)}
    if network is None:
        return ExplanationChecks(by_kind)
    attention, random = np.stack([one.attention for one in errors]), np.random.default_rng(seed)
    return ExplanationChecks(by_kind, _as_json(check_attention(network, windows, scales, attention, random=random)))


def _most_surprising(calibration: Calibration, dataset: Dataset, scores: Float64Array, window_length: int) -> Int64Array:
    """Return up to MOST_WINDOWS rows with the highest scores, whose windows do not overlap within a sensor."""
    known = calibration.sensors.find(dataset.sensors) >= 0
    candidates = np.flatnonzero(~np.isnan(scores) & known[dataset.codes])
    chosen: list[int] = []
    overlaps = np.zeros(len(dataset), np.bool_)
    for row in candidates[np.argsort(-scores[candidates], kind="stable")].tolist():
        if not overlaps[row]:
            chosen.append(row)
            near = slice(max(0, row - window_length), row + window_length + 1)
            overlaps[near] |= dataset.codes[near] == dataset.codes[row]
        if len(chosen) == MOST_WINDOWS:
            break
    return np.array(chosen, np.int64)


def _window(dataset: Dataset, end: int, window_length: int) -> Float32Array:
    """Return the last T rows [T, F] of the sensor up to `end`, as they are scored, of a row whose window is full."""
    of_sensor = np.flatnonzero(dataset.codes[: end + 1] == dataset.codes[end])[-window_length:]
    rows = np.asarray(dataset.values[of_sensor], np.float32)
    return np.asarray(timed(rows[np.newaxis], dataset.times_ms[of_sensor][np.newaxis])[0])


def _as_json(comparison: Comparison | AttentionCheck | None) -> dict[str, Any] | None:
    return None if comparison is None else {**asdict(comparison), "ratio": comparison.ratio()}
