"""Measure the faithfulness of explanations: replace what they blame by the expected values and see how far the score falls.

Replaced are the cells (a feature at a step) with the highest shares, or the steps with the highest share or attention; for
comparison, as many random ones. A faithful explanation makes the score fall by more than random cells do. Knows no model.
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
    """How an explanation attributes a score to a window's T steps and F features; higher is more."""

    @property
    def feature_share(self) -> Float32Array: ...  # noqa: D102 - [F]
    @property
    def step_share(self) -> Float32Array: ...  # noqa: D102 - [T]
    @property
    def attention(self) -> Float32Array: ...  # noqa: D102 - [T], all 0 if the model has none


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far the score falls when the blamed cells are replaced, and when as many random cells are."""

    windows: int
    blamed_fall: float  # mean over the windows, in units of the score
    random_fall: float
    win_rate: float  # share of pairs in which it falls further for the blamed; ties count half

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

    def compare(self, blame: Float64Array) -> Comparison:
        """Compare choosing by blame, [N, T, F] for cells or [N, T, 1] for steps, with choosing at random."""
        blamed = self._fall(blame)
        by_chance = np.stack([self._fall(self.random.random(blame.shape)) for _ in range(self.draws)])
        wins = np.where(blamed > by_chance, 1.0, np.where(blamed == by_chance, 0.5, 0.0))
        return Comparison(len(blamed), float(blamed.mean()), float(by_chance.mean()), float(wins.mean()))

    def _fall(self, blame: Float64Array) -> Float64Array:
        """Return how far each score falls when the most blamed cells are replaced."""
        eligible: BoolArray = self.eligible if blame.shape[2] > 1 else np.asarray(self.eligible.any(axis=2, keepdims=True))
        cells = _greatest(blame, eligible) & self.eligible
        return np.asarray(self.before.astype(np.float64) - self.scorer.score(self.scorer.replace(self.windows, cells)))


def _greatest(blame: Float64Array, eligible: BoolArray) -> BoolArray:
    """Mark, in each window, the most blamed eligible entries [T, C]: REPLACED_SHARE of T x C, or all if there are fewer."""
    flat = np.where(eligible, -blame, np.inf).reshape(len(blame), -1)
    count = max(1, round(REPLACED_SHARE * flat.shape[1]))
    chosen = np.zeros(flat.shape, np.bool_)
    np.put_along_axis(chosen, np.argsort(flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return np.asarray(chosen.reshape(blame.shape) & eligible)
