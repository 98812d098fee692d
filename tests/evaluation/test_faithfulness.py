"""Faithfulness, on a scorer to which every cell contributes a known amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from stream_detector.evaluation.faithfulness import Faithfulness, faithfulness
from stream_detector.readings import BoolArray, Float32Array

STEPS, FEATURES = 4, 5  # 20 cells: one is 5 %; at least one step is replaced


class SumScorer:
    """A CellScorer whose score is the sum of the values and which expects zeros; a missing value counts as zero."""

    def __init__(self) -> None:
        self.replaced: list[BoolArray] = []

    def score(self, windows: Float32Array) -> Float32Array:
        """See CellScorer."""
        return np.asarray(np.nansum(windows, axis=(1, 2), dtype=np.float32))

    def replace(self, windows: Float32Array, cells: BoolArray) -> Float32Array:
        """See CellScorer."""
        self.replaced.append(cells)
        return np.where(cells, np.float32(0.0), windows)


@dataclass(frozen=True, slots=True)
class Shares:
    """An Attribution."""

    step_share: Float32Array
    feature_share: Float32Array
    attention: Float32Array


def shares(steps: Sequence[float], features: Sequence[float], attention: Sequence[float]) -> Shares:
    return Shares(np.array(steps, np.float32), np.array(features, np.float32), np.array(attention, np.float32))


def faulty_windows(count: int = 200) -> Float32Array:
    """Return windows of ones, but 10 in feature 3 of step 2: a score of 29."""
    windows = np.ones((count, STEPS, FEATURES), np.float32)
    windows[:, 2, 3] = 10.0
    return windows


#: True shares, and attention to the step before.
HONEST = shares([5 / 29, 5 / 29, 14 / 29, 5 / 29], [4 / 29, 4 / 29, 4 / 29, 13 / 29, 4 / 29], [0.1, 0.7, 0.1, 0.1])


def measure(
    windows: Float32Array, one: Shares, scorer: SumScorer | None = None, scored: BoolArray | None = None
) -> Faithfulness:
    random = np.random.default_rng(0)
    return faithfulness(scorer or SumScorer(), windows, [one] * len(windows), random=random, scored=scored)


def test_true_shares_make_the_score_fall_by_what_the_fault_is_worth() -> None:
    found = measure(faulty_windows(), HONEST)

    assert (found.cells.windows, found.cells.blamed_fall) == (200, 10.0)  # the faulty cell
    assert found.steps.blamed_fall == 14.0  # its step
    assert found.attention is not None
    assert found.attention.blamed_fall == 5.0  # a healthy step
    # At random: a cell is worth 29 / 20, a step 29 / 4.
    assert found.cells.random_fall == pytest.approx(29 / 20, rel=0.1)
    assert found.steps.random_fall == pytest.approx(29 / 4, rel=0.1)
    assert found.cells.ratio() == pytest.approx(10 / (29 / 20), rel=0.1)


def test_a_pair_is_won_if_the_fall_of_explained_cells_is_greater_and_half_won_if_it_is_equal() -> None:
    found = measure(faulty_windows(), HONEST)

    # A random draw hits the explained cell once in 20, and ties. The attended step is worth 5: it ties with two others and with
    # itself, and loses against the faulty one.
    assert found.cells.win_rate == pytest.approx(19 / 20 + 0.5 / 20, abs=0.02)
    assert found.attention is not None
    assert found.attention.win_rate == pytest.approx(0.5 * 3 / 4, abs=0.03)


def test_five_percent_of_the_cells_and_of_the_steps_are_replaced() -> None:
    scorer = SumScorer()
    windows = np.ones((2, 40, FEATURES), np.float32)

    measure(windows, shares([1 / 40] * 40, [0.2] * 5, [1 / 40] * 40), scorer)

    assert [int(cells[0].sum()) for cells in scorer.replaced] == [10] * 9 + [2 * FEATURES] * 18


def test_only_cells_with_a_value_of_scored_features_are_replaced() -> None:
    scorer, windows = SumScorer(), faulty_windows(20)
    windows[:, :, 4] = np.nan
    windows[:, 0] = np.nan
    scored = np.array([True, True, False, True, True])

    measure(windows, HONEST, scorer, scored)

    replaced = np.any(scorer.replaced, axis=(0, 1))
    assert not replaced[0].any()
    assert replaced[1:].all(axis=0).tolist() == [True, True, False, True, False]
    assert all(cells[:, 1:].any(axis=(1, 2)).all() for cells in scorer.replaced)


def test_where_chance_makes_nothing_fall_there_is_no_ratio() -> None:
    windows = np.zeros((3, STEPS, FEATURES), np.float32)

    found = measure(windows, HONEST)

    assert found.cells.ratio() is None
    assert found.cells.win_rate == 0.5


def test_equal_generators_give_equal_results() -> None:
    assert measure(faulty_windows(7), HONEST) == measure(faulty_windows(7), HONEST)


def test_one_feature_is_enough() -> None:
    windows = faulty_windows(50)[:, :, 3:4]
    one = shares([1 / 13, 1 / 13, 10 / 13, 1 / 13], [1.0], [0.25] * 4)

    found = measure(windows, one)

    assert found.cells.blamed_fall == found.steps.blamed_fall == 10.0


def test_without_attention_there_is_nothing_to_compare() -> None:
    found = measure(faulty_windows(3), shares([0.25] * 4, [0.2] * 5, [0.0] * 4))

    assert found.attention is None
    assert found.steps.windows == 3


def test_the_errors_are_of_the_means_over_the_windows() -> None:
    windows = faulty_windows(4)
    windows[2:, 2, 3] = 14.0  # falls of 10, 10, 14 and 14: a deviation of 2.309

    found = measure(windows, HONEST)

    assert found.cells.score == 31.0
    assert found.cells.fall_error == pytest.approx(2.3094 / 2, rel=1e-3)
    assert measure(faulty_windows(1), HONEST).cells.fall_error is None
