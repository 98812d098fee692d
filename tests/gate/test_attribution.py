"""Which features explanations attribute a fault to, counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stream_detector.gate.attribution import AttributionAccuracy, attribution_accuracy, chance_of_a_hit, peak_rows
from stream_detector.gate.fault_kinds import SPIKE, STUCK
from stream_detector.gate.trials import plan_trials
from tests.gate.hand_made import trials_of


def test_a_faulty_feature_is_the_first_or_among_the_first_three() -> None:
    trials = trials_of((SPIKE, 1, 3), (STUCK, 0, 1), (STUCK, 0, 1), rows=4, features=5, faulty=(1,))
    shares = np.array([[0.3, 0.6, 0.1, 0.0, 0.0], [0.5, 0.2, 0.3, 0.0, 0.0], [0.4, 0.1, 0.2, 0.3, 0.0]])  # first, third, fourth

    found = attribution_accuracy(trials, shares, scored_features=5)

    assert found.faults == 3
    assert found.first == pytest.approx(1 / 3)
    assert found.first_three == pytest.approx(2 / 3)
    assert found.first_by_chance == pytest.approx(1 / 5)
    assert found.first_three_by_chance == pytest.approx(3 / 5)


def test_a_fault_of_several_features_is_attributed_rightly_to_any_of_them() -> None:
    trials = trials_of((SPIKE, 0, 1), rows=2, features=8, faulty=(6, 7))
    shares = np.array([[0.3, 0.2, 0.02, 0.02, 0.02, 0.02, 0.02, 0.4]])

    right = attribution_accuracy(trials, shares, scored_features=8)
    third = attribution_accuracy(trials, shares[:, [7, 0, 2, 3, 4, 5, 6, 1]], scored_features=8)
    wrong = attribution_accuracy(trials, shares[:, [7, 0, 1, 3, 4, 5, 6, 2]], scored_features=8)

    assert (right.first, right.first_three) == (1.0, 1.0)
    assert (third.first, third.first_three) == (0.0, 1.0)
    assert (wrong.first, wrong.first_three) == (0.0, 0.0)


def test_faults_that_are_not_explained_do_not_count() -> None:
    trials = trials_of((SPIKE, 0, 2), (SPIKE, 0, 2), rows=3, features=2)
    shares = np.array([[0.9, 0.1], [np.nan, np.nan]])

    assert attribution_accuracy(trials, shares, 2) == AttributionAccuracy(1, 1.0, 0.5, 1.0, 1.0)
    assert json.dumps(attribution_accuracy(trials, shares * np.nan, 2).as_json()).count("null") == 4


def test_a_fault_is_explained_where_it_scores_highest() -> None:
    trials = trials_of((SPIKE, 1, 3), (SPIKE, 1, 4), (SPIKE, 1, 2), rows=4)
    scores = np.array([[9.0, 1.0, 2.0, 9.0], [9.0, -3.0, -2.0, np.nan], [9.0, np.nan, 9.0, 9.0]])

    assert peak_rows(trials, scores).tolist() == [2, 2, -1]
    assert peak_rows(plan_trials([], 16, 0), np.empty((0, 0))).tolist() == []


def test_the_chance_of_a_hit_is_that_of_drawing_without_replacement() -> None:
    assert chance_of_a_hit(features=10, faulty=2, top=3) == pytest.approx(1 - (8 / 10) * (7 / 9) * (6 / 8))
    assert chance_of_a_hit(features=2, faulty=1, top=3) == 1.0
    assert chance_of_a_hit(features=1, faulty=1, top=1) == 1.0
