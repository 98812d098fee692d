"""Measures whether attention shows what the network reads: how far what it expects moves without the steps attended to.

The network expects the values of the newest rows, which are hidden from it, from the steps before. Hides the steps with the
most attention too, and for comparison as many drawn by lot, the newest ones, and those attended to in other windows. Where
attention is true, the expectation moves further than by lot. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stream_detector.evaluation.faithfulness import REPLACED_SHARE
from stream_detector.readings import BoolArray, Float32Array, Float64Array
from stream_detector.state.running_scale import Scales


class Expecter(Protocol):
    """Knows what the network expects of windows from which steps were taken away."""

    @property
    def hidden_rows(self) -> int:
        """The number H of the newest rows, which the network predicts and never reads."""

    def expect_without(self, windows: Float32Array, scales: Scales, steps: BoolArray) -> tuple[Float32Array, Float32Array]:
        """Return centre and spread [N, H, S] of the newest rows' S scored features, in scaled units.

        Hides the True `steps` [N, T] of raw windows [N, T, F], NaN = missing, as the newest rows are hidden.
        """


@dataclass(frozen=True, slots=True)
class AttentionCheck:
    """How far the expectation moves, means over the windows in spreads of the network, and how often it moves further."""

    windows: int
    steps: int  # taken away from each window
    change: float  # without the steps with the most attention
    random_change: float  # without as many drawn by lot
    newest_change: float  # without the newest ones that the network reads
    other_change: float | None  # without those attended to in other windows; None for a single window
    more: float  # change - random_change
    more_error: float | None  # its standard error over the windows; None for a single window
    win_rate: float  # share of pairs with a random choice in which the change is larger; ties count half
    win_error: float | None
    other_win_rate: float | None  # the same, with the choices of other windows
    other_win_error: float | None

    def ratio(self) -> float | None:
        """Return change / random_change; None if nothing changes by lot."""
        return self.change / self.random_change if self.random_change > 0.0 else None


def check_attention(
    network: Expecter,
    windows: Float32Array,
    scales: Scales,
    attention: Float32Array,
    *,
    random: np.random.Generator,
    draws: int = 8,
) -> AttentionCheck | None:
    """Check attention weights [N, T] of windows [N, T, F] on these scales; None if no step may be taken away.

    Compares each window with `draws` random choices and up to `draws` other windows. Only steps before the hidden rows that
    have a value count, and a window with none is left out. Among equal weights the lot decides.
    """
    readable: BoolArray = np.asarray(~np.isnan(windows).all(axis=2))
    readable[:, windows.shape[1] - network.hidden_rows :] = False
    some = readable.any(axis=1)
    if not some.any():
        return None
    trial = _Trial(network, windows[some], scales.take(np.flatnonzero(some)), readable[some], random)
    weights = attention[some].astype(np.float64)
    return _compared(trial, weights, draws)


def _compared(trial: _Trial, weights: Float64Array, draws: int) -> AttentionCheck:
    """Compare the steps with the largest weights [N, T] with others."""
    attended, others = trial.change(weights), trial.of_other_windows(weights, draws)
    by_lot = np.stack([trial.change(np.zeros_like(weights)) for _ in range(draws)])
    ages = np.broadcast_to(np.arange(weights.shape[1], dtype=np.float64), weights.shape)
    more, wins = attended - by_lot.mean(axis=0), _wins(attended, by_lot)
    other_wins = _wins(attended, others) if others is not None else None
    return AttentionCheck(
        windows=len(attended),
        steps=trial.steps,
        change=float(attended.mean()),
        random_change=float(by_lot.mean()),
        newest_change=float(trial.change(ages).mean()),
        other_change=None if others is None else float(others.mean()),
        more=float(more.mean()),
        more_error=_standard_error(more),
        win_rate=float(wins.mean()),
        win_error=_standard_error(wins),
        other_win_rate=None if other_wins is None else float(other_wins.mean()),
        other_win_error=None if other_wins is None else _standard_error(other_wins),
    )


class _Trial:
    """The windows, what the network expects of them, and the steps that may be taken away."""

    def __init__(
        self, network: Expecter, windows: Float32Array, scales: Scales, readable: BoolArray, random: np.random.Generator
    ) -> None:
        self._network, self._windows, self._scales, self._readable, self._random = network, windows, scales, readable, random
        self.steps = max(1, round(REPLACED_SHARE * (windows.shape[1] - network.hidden_rows)))
        self._centre, self._spread = network.expect_without(windows, scales, np.zeros_like(readable))

    def change(self, ranks: Float64Array) -> Float64Array:
        """Return how far the expectation moves without the steps with the largest ranks [N, T]: a root mean square [N]."""
        lots = self._random.random(ranks.shape)
        order = np.lexsort((lots, np.where(self._readable, -ranks, np.inf)), axis=1)
        taken = np.zeros(ranks.shape, np.bool_)
        np.put_along_axis(taken, order[:, : self.steps], True, axis=1)
        centre, _ = self._network.expect_without(self._windows, self._scales, taken & self._readable)
        moved = (centre.astype(np.float64) - self._centre) / self._spread
        return np.asarray(np.sqrt(np.square(moved).mean(axis=(1, 2))))

    def of_other_windows(self, weights: Float64Array, most: int) -> Float64Array | None:
        """Return the change [D, N] by the weights of up to `most` other windows; None if there is no other."""
        count = len(weights)
        turns = [turn for turn in np.unique(np.linspace(1, count - 1, most).astype(int)).tolist() if 0 < turn < count]
        return np.stack([self.change(np.roll(weights, turn, axis=0)) for turn in turns]) if turns else None


def _wins(change: Float64Array, others: Float64Array) -> Float64Array:
    """Return for each window the share of the other changes [D, N] that are smaller; equal ones count half."""
    return np.asarray(np.where(change > others, 1.0, np.where(change == others, 0.5, 0.0)).mean(axis=0))


def _standard_error(values: Float64Array) -> float | None:
    """Return the standard error of the mean of values [N]; None for fewer than two."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
