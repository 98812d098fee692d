"""Measures the faithfulness of explanations: how far the score falls when expected values replace the cells they point to.

Replaces the cells (a feature at a step) with the highest shares, or the steps with the highest share or attention, and for
comparison as many random ones. With a faithful explanation the score falls further than with random cells. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array

#: The share of the cells or steps to replace; at least one is replaced.
REPLACED_SHARE = 0.05


class CellScorer(Protocol):
    """Scores windows, and knows the values it expects in them."""

    def score(self, windows: Float32Array) -> Float32Array:
        """Score windows [N, T, F] of raw values, NaN = missing. Returns [N]; higher is more anomalous."""

    def replace(self, windows: Float32Array, cells: BoolArray) -> Float32Array:
        """Return copies of windows [N, T, F] with the expected values in the True cells [N, T, F]."""


class Attribution(Protocol):
    """How an explanation attributes a score to a window's T steps and F features; a higher value is a larger part."""

    @property
    def feature_share(self) -> Float32Array: ...  # noqa: D102 - [F]
    @property
    def step_share(self) -> Float32Array: ...  # noqa: D102 - [T]
    @property
    def attention(self) -> Float32Array: ...  # noqa: D102 - [T], all 0 if the model has none


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far the score falls when the explained cells are replaced, and when as many random cells are."""

    windows: int
    blamed_fall: float  # mean over the windows, in units of the score
    random_fall: float
    win_rate: float  # share of pairs in which the score falls further for the explained cells; ties count half
    score: float  # mean over the windows, before anything is replaced
    fall_error: float | None  # standard errors of blamed_fall and win_rate over the windows; None for a single window
    win_error: float | None

    def ratio(self) -> float | None:
        """Return blamed_fall / random_fall; None if the score does not fall for random cells."""
        return self.blamed_fall / self.random_fall if self.random_fall > 0.0 else None


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Three kinds of attribution, each compared with chance."""

    cells: Comparison  # ranked by feature share times step share
    steps: Comparison  # ranked by step share, all features of a step
    attention: Comparison | None  # ranked by attention, all features of a step; None without attention


def faithfulness(
    scorer: CellScorer,
    windows: Float32Array,
    explanations: Sequence[Attribution],
    *,
    random: np.random.Generator,
    draws: int = 8,
    scored: BoolArray | None = None,
) -> Faithfulness:
    """Measure how faithful explanations are to the scores of windows [N, T, F], N at least 1.

    Compares each window with `draws` random choices. Chooses only cells that have a value, of features that are `scored`
    [F] (None: all), since replacing any other changes nothing. Scores the windows up to 3 x (1 + draws) + 1 times.
    """
    eligible = np.asarray(~np.isnan(windows) & (np.True_ if scored is None else scored))
    trial = _Trial(scorer, windows, eligible, scorer.score(windows), random, draws)
    feature_share = np.stack([one.feature_share for one in explanations]).astype(np.float64)
    step_share = np.stack([one.step_share for one in explanations]).astype(np.float64)
    attention = np.stack([one.attention for one in explanations]).astype(np.float64)
    return Faithfulness(
        cells=trial.compare(step_share[:, :, None] * feature_share[:, None, :]),
        steps=trial.compare(step_share[:, :, None]),
        attention=trial.compare(attention[:, :, None]) if attention.any() else None,
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """The windows to compare, and the cells in them that may be replaced."""

    scorer: CellScorer
    windows: Float32Array  # [N, T, F]
    eligible: BoolArray  # [N, T, F]
    before: Float32Array  # [N] their scores
    random: np.random.Generator
    draws: int

    def compare(self, shares: Float64Array) -> Comparison:
        """Compare the largest shares, [N, T, F] of cells or [N, T, 1] of steps, with a random choice."""
        explained = self._fall(shares)
        by_chance = np.stack([self._fall(self.random.random(shares.shape)) for _ in range(self.draws)])
        wins = np.where(explained > by_chance, 1.0, np.where(explained == by_chance, 0.5, 0.0))
        return Comparison(
            windows=len(explained),
            blamed_fall=float(explained.mean()),
            random_fall=float(by_chance.mean()),
            win_rate=float(wins.mean()),
            score=float(self.before.mean(dtype=np.float64)),
            fall_error=_standard_error(explained),
            win_error=_standard_error(wins.mean(axis=0)),
        )

    def _fall(self, shares: Float64Array) -> Float64Array:
        """Return how far each score falls when the cells with the largest shares are replaced."""
        eligible: BoolArray = self.eligible if shares.shape[2] > 1 else np.asarray(self.eligible.any(axis=2, keepdims=True))
        cells = _largest(shares, eligible) & self.eligible
        return np.asarray(self.before.astype(np.float64) - self.scorer.score(self.scorer.replace(self.windows, cells)))


def _standard_error(values: Float64Array) -> float | None:
    """Return the standard error of the mean of values [N]; None for fewer than two."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def _largest(shares: Float64Array, eligible: BoolArray) -> BoolArray:
    """Mark the largest eligible shares [T, C] of each window: REPLACED_SHARE of T x C, or all eligible ones if fewer."""
    flat = np.where(eligible, -shares, np.inf).reshape(len(shares), -1)
    count = max(1, round(REPLACED_SHARE * flat.shape[1]))
    chosen = np.zeros(flat.shape, np.bool_)
    np.put_along_axis(chosen, np.argsort(flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return np.asarray(chosen.reshape(shares.shape) & eligible)
