"""Whether an explanation is true to the score: what it blames is replaced by what was expected, and the score must fall.

Cells (a feature at a step) that the shares blame most are replaced and, for comparison, as many random ones; likewise whole
steps by their share of the score, and by attention. An explanation is worth something if the score falls by more than for
random cells. This module knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stream_detector.readings import BoolArray, Float32Array, Float64Array

#: The share of the cells, or of the steps, that is replaced; at least one is.
REPLACED_SHARE = 0.05


class CellScorer(Protocol):
    """Scores windows, and knows what it would have expected in their place."""

    def score(self, windows: Float32Array) -> Float32Array:
        """Score windows [N, T, F] of raw values, NaN = missing. Returns [N]; higher is worse."""

    def replace(self, windows: Float32Array, cells: BoolArray) -> Float32Array:
        """Return copies of windows [N, T, F] in which the cells [N, T, F] hold the values that the scorer expects there."""


class Attribution(Protocol):
    """What an explanation blames of a window's T steps and F features; higher is more."""

    @property
    def feature_share(self) -> Float32Array: ...  # noqa: D102 - [F]
    @property
    def step_share(self) -> Float32Array: ...  # noqa: D102 - [T]
    @property
    def attention(self) -> Float32Array: ...  # noqa: D102 - [T], all 0 where a model has none


@dataclass(frozen=True, slots=True)
class Comparison:
    """What replacing the blamed does to the score, beside replacing as much at random."""

    windows: int
    blamed_fall: float  # mean over the windows, in units of the score
    random_fall: float
    win_rate: float  # share of pairs in which the score falls by more for the blamed; equal falls count half

    def ratio(self) -> float | None:
        """Return how many times as far the score falls; None if at random it does not fall at all."""
        return self.blamed_fall / self.random_fall if self.random_fall > 0.0 else None


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Three ways to blame, each beside chance."""

    cells: Comparison  # by feature share times step share
    steps: Comparison  # by step share, all features of the step
    attention: Comparison | None  # by attention, all features of the step; None without attention


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

    Each window is compared with `draws` random choices. Only cells that have a value, of features that are `scored` [F]
    (None: all), are chosen: replacing another is no test. Scores the windows 3 x (1 + draws) + 1 times.
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
    """The windows of a comparison, and what may be replaced in them."""

    scorer: CellScorer
    windows: Float32Array  # [N, T, F]
    eligible: BoolArray  # [N, T, F]
    before: Float32Array  # [N] their scores
    random: np.random.Generator
    draws: int

    def compare(self, blame: Float64Array) -> Comparison:
        """Compare what is chosen by blame, [N, T, F] for cells or [N, T, 1] for steps, with what is chosen at random."""
        blamed = self._fall(blame)
        by_chance = np.stack([self._fall(self.random.random(blame.shape)) for _ in range(self.draws)])
        wins = np.where(blamed > by_chance, 1.0, np.where(blamed == by_chance, 0.5, 0.0))
        return Comparison(len(blamed), float(blamed.mean()), float(by_chance.mean()), float(wins.mean()))

    def _fall(self, blame: Float64Array) -> Float64Array:
        """Return by how much each score falls when the most blamed are replaced."""
        eligible: BoolArray = self.eligible if blame.shape[2] > 1 else np.asarray(self.eligible.any(axis=2, keepdims=True))
        cells = _greatest(blame, eligible) & self.eligible
        return np.asarray(self.before.astype(np.float64) - self.scorer.score(self.scorer.replace(self.windows, cells)))


def _greatest(blame: Float64Array, eligible: BoolArray) -> BoolArray:
    """Return, of each window's [T, C] eligible entries, the REPLACED_SHARE of T x C that are blamed most; all if fewer."""
    flat = np.where(eligible, -blame, np.inf).reshape(len(blame), -1)
    count = max(1, round(REPLACED_SHARE * flat.shape[1]))
    chosen = np.zeros(flat.shape, np.bool_)
    np.put_along_axis(chosen, np.argsort(flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return np.asarray(chosen.reshape(blame.shape) & eligible)
