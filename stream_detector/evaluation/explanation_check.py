"""How faithful a model's explanations are, on the windows of an evaluation that it finds most surprising.

The faithfulness itself is measured in faithfulness.py; here windows are chosen, and a model is made to answer its questions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_detector.detection.calibration import Calibration
from stream_detector.detection.explanation import Explanation, explain
from stream_detector.detection.scorer import Scorer
from stream_detector.evaluation.faithfulness import Comparison, faithfulness
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset

MOST_WINDOWS = 64


@dataclass(frozen=True, slots=True)
class FixedScorer:
    """Scores variants of N given windows, each on the scale and above the levels of its own sensor."""

    scorer: Scorer
    calibration: Calibration
    scales: Scales  # [N]
    levels: Float64Array  # [N, M]
    expected: Float32Array  # [N, T, F]

    def surprises(self, windows: Float32Array) -> Float64Array:
        """Return the members' surprises by weight [N, M]."""
        above_level = self.scorer.start(windows, self.scales)().astype(np.float64) - self.levels
        return self.calibration.tails.surprise(above_level) * self.calibration.weights

    def score(self, windows: Float32Array) -> Float32Array:
        """See faithfulness.CellScorer. What has no value left is not surprising."""
        return np.asarray(np.nan_to_num(self.surprises(windows).sum(axis=1)), np.float32)

    def replace(self, windows: Float32Array, cells: BoolArray) -> Float32Array:
        """See faithfulness.CellScorer."""
        return np.where(cells, self.expected, windows)


def check_explanations(
    scorer: Scorer, calibration: Calibration, dataset: Dataset, scores: Float64Array, *, window_length: int, seed: int
) -> dict[str, Any] | None:
    """Measure faithfulness on the most surprising windows of sensors that the model knows, by the scores [N] of a dataset.

    Returns plain data; None if there is no such window.
    """
    ends = _most_surprising(calibration, dataset, scores, window_length)
    if not len(ends):
        return None
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
    return {"shares": _plain(found.cells), "step_shares": _plain(found.steps), "attention": _plain(found.attention)}


def _most_surprising(calibration: Calibration, dataset: Dataset, scores: Float64Array, window_length: int) -> Int64Array:
    """Return rows of the highest scores, no two of a sensor within a window of rows of each other."""
    known = calibration.sensors.find(dataset.sensors) >= 0
    candidates = np.flatnonzero(~np.isnan(scores) & known[dataset.codes])
    chosen: list[int] = []
    taken = np.zeros(len(dataset), np.bool_)
    for row in candidates[np.argsort(-scores[candidates], kind="stable")].tolist():
        if not taken[row]:
            chosen.append(row)
            near = slice(max(0, row - window_length), row + window_length + 1)
            taken[near] |= dataset.codes[near] == dataset.codes[row]
        if len(chosen) == MOST_WINDOWS:
            break
    return np.array(chosen, np.int64)


def _window(dataset: Dataset, end: int, window_length: int) -> Float32Array:
    """Return the sensor's rows [T, F] up to this one; a scored row has as many."""
    of_sensor = np.flatnonzero(dataset.codes[: end + 1] == dataset.codes[end])[-window_length:]
    return np.asarray(dataset.values[of_sensor])


def _plain(comparison: Comparison | None) -> dict[str, Any] | None:
    return None if comparison is None else {**asdict(comparison), "ratio": comparison.ratio()}
