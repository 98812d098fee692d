"""Average precision by trial and kind, and the difference of two scores, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.gate.fault_kinds import DRIFT, NOISE, SPIKE
from stream_detector.gate.ranking_quality import comparable_rows, mean_over_kinds, paired_gain, precisions, roc_auc
from tests.gate.hand_made import trials_of


def test_a_trial_has_the_average_precision_of_its_rows_that_count() -> None:
    trials = trials_of((SPIKE, 2, 3), (SPIKE, 2, 3), rows=4)
    scores = np.array([[0.0, 5.0, 3.0, 1.0], [0.0, 5.0, 3.0, 9.0]])

    everything = precisions(trials, scores, trials.is_judged)
    without_row_1 = precisions(trials, scores, trials.is_judged & [True, False, True, True])

    assert everything.tolist() == pytest.approx([1 / 2, 1 / 3])  # second and third of the ranking
    assert without_row_1.tolist() == pytest.approx([1.0, 1 / 2])


def test_a_trial_without_a_faulty_or_a_healthy_row_has_none() -> None:
    trials = trials_of((SPIKE, 0, 1), rows=2)

    assert np.isnan(precisions(trials, np.ones((1, 2)), np.array([[False, True]]))).all()
    assert np.isnan(precisions(trials, np.ones((1, 2)), np.array([[True, False]]))).all()


def test_rows_compare_where_they_count_and_every_scorer_has_scored() -> None:
    trials = replace(trials_of((SPIKE, 2, 3), rows=4), is_judged=np.array([[False, True, True, True]]))

    rows = comparable_rows(trials, {"a": np.array([[1.0, np.nan, 1.0, 1.0]]), "b": np.array([[1.0, 1.0, 1.0, np.nan]])})

    assert rows.tolist() == [[False, False, True, False]]


def test_kinds_weigh_the_same_however_many_trials_they_have() -> None:
    trials = trials_of((SPIKE, 1, 2), (SPIKE, 1, 2), (SPIKE, 1, 2), (DRIFT, 1, 2), (NOISE, 1, 2), rows=3)

    assert mean_over_kinds(trials, np.array([0.1, 0.2, 0.3, 0.8, np.nan])) == pytest.approx((0.2 + 0.8) / 2)
    assert np.isnan(mean_over_kinds(trials, np.full(5, np.nan)))


def test_the_error_of_a_gain_is_that_of_trials_within_their_kinds() -> None:
    trials = trials_of((SPIKE, 1, 2), (SPIKE, 1, 2), (DRIFT, 1, 2), (DRIFT, 1, 2), rows=3)
    precision = np.array([0.5, 0.7, 0.9, 0.5])
    other = np.array([0.4, 0.4, 0.5, 0.5])

    gain = paired_gain(trials, precision, other)

    # differences .1, .3 | .4, 0: means .2, .2; variance (2 * .1**2 + 2 * .2**2) / 2 = .05, error sqrt(.05 * (1/2 + 1/2)) / 2
    assert gain.mean == pytest.approx(0.2)
    assert gain.standard_error == pytest.approx(np.sqrt(0.05) / 2)


def test_trials_that_share_readings_tell_less() -> None:
    apart = trials_of((SPIKE, 1, 2), (SPIKE, 1, 2), (DRIFT, 1, 2), (DRIFT, 1, 2), rows=3)
    precision, other = np.array([0.5, 0.7, 0.9, 0.5]), np.zeros(4)

    shared = paired_gain(replace(apart, stretches=1), precision, other)
    none_whole = paired_gain(replace(apart, stretches=0), precision, other)

    assert shared.mean == paired_gain(apart, precision, other).mean
    assert shared.standard_error == pytest.approx(2.0 * paired_gain(apart, precision, other).standard_error)  # four on one
    assert none_whole == shared


def test_one_trial_of_each_kind_tells_nothing_of_the_error() -> None:
    trials = trials_of((SPIKE, 1, 2), (DRIFT, 1, 2), rows=3)

    assert paired_gain(trials, np.array([0.5, 0.6]), np.array([0.3, 0.6])).standard_error == np.inf


def test_roc_auc_counts_pairs_and_halves_ties() -> None:
    labels = np.array([True, True, False, False])

    assert roc_auc(labels, np.array([3.0, 1.0, 2.0, 1.0])) == pytest.approx((2 + 0.5) / 4)
    assert np.isnan(roc_auc(labels[:2], np.array([1.0, 2.0])))
