"""Members are left out when that finds faults better, and only when it is more than chance."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.gate.fault_kinds import DRIFT, SPIKE
from stream_detector.gate.member_selection import select_members
from stream_detector.gate.trials import Trials, plan_trials
from stream_detector.readings import Float64Array
from tests.examples import examples
from tests.gate.hand_made import trials_of


def many(each: int = 10, rows: int = 40) -> Trials:
    return trials_of(*[(kind, rows - 10, rows) for kind in (SPIKE, DRIFT) for _ in range(each)], rows=rows)


def surprise(trials: Trials, strength: float, seed: int) -> Float64Array:
    """Return exponential noise, as healthy surprises are, more of it in the faults."""
    noise = np.random.default_rng(seed).exponential(size=trials.is_faulty.shape)
    return noise + strength * trials.is_faulty


def test_a_member_that_drowns_the_others_is_left_out() -> None:
    trials = many()
    disturbing = 20.0 * surprise(trials, 0.0, seed=2)
    surprises = np.stack([surprise(trials, 1.5, 0), disturbing, surprise(trials, 1.5, 1)], axis=2)

    selection = select_members(trials, surprises, ("pca", "disturbing", "forecast"))

    assert selection.kept.tolist() == [True, False, True]
    disturbing_member = selection.members[1]
    assert disturbing_member.gain_without is not None
    assert disturbing_member.gain_without > 0.1
    assert selection.auc_pr is not None
    assert selection.auc_pr_of_all is not None
    assert selection.auc_pr - selection.auc_pr_of_all == pytest.approx(disturbing_member.gain_without)


def test_members_that_help_or_do_no_harm_are_kept() -> None:
    trials = many()
    useful = surprise(trials, 1.5, 0)
    harmless = np.zeros_like(useful)
    surprises = np.stack([useful, surprise(trials, 1.5, 1), harmless], axis=2)

    selection = select_members(trials, surprises, ("a", "b", "harmless"))

    assert selection.kept.all()
    assert selection.members[2].gain_without == pytest.approx(0.0)
    assert selection.members[0].alone == pytest.approx(selection.members[1].alone, abs=0.1)
    assert selection.members[2].alone == pytest.approx(0.25)  # ten of forty rows, all tied


def test_two_members_are_kept_whatever_they_do() -> None:
    trials = many()
    surprises = np.stack([surprise(trials, 3.0, 0), 50.0 * surprise(trials, 0.0, 1)], axis=2)

    selection = select_members(trials, surprises, ("useful", "bad"))

    assert selection.kept.all()
    assert selection.members[1].gain_without == pytest.approx(0.6, abs=0.1)  # which the report tells


def test_a_gain_within_chance_leaves_nobody_out() -> None:
    trials = many(each=2)
    surprises = np.stack([surprise(trials, 0.5, seed) for seed in range(4)], axis=2)

    selection = select_members(trials, surprises, "abcd")

    gains = [member.gain_without for member in selection.members]
    assert max(gain for gain in gains if gain is not None) > 0.0
    assert selection.kept.all()


def test_a_single_member_is_kept() -> None:
    trials = many()

    selection = select_members(trials, surprise(trials, 1.0, 0)[:, :, None], ("only",))

    assert selection.kept.tolist() == [True]
    assert selection.members[0].gain_without is None


def test_without_trials_all_are_kept_and_nothing_is_known() -> None:
    selection = select_members(plan_trials([], 16, 0), np.empty((0, 0, 3)), ("a", "b", "c"))

    assert selection.kept.all()
    assert selection.auc_pr is None
    assert "NaN" not in json.dumps(selection.as_json())


def test_rows_that_a_member_has_not_scored_do_not_count() -> None:
    trials = many()
    first, second = surprise(trials, 1.0, 0), surprise(trials, 1.0, 1)
    third = np.zeros_like(first)
    third[:, :5] = np.nan
    first_rows = np.arange(trials.is_faulty.shape[1]) < 5

    selection = select_members(trials, np.stack([first, second, third], axis=2), "abc")
    disturbed = np.where(first_rows, 100.0, first)
    again = select_members(trials, np.stack([disturbed, second, third], axis=2), "abc")

    assert again == selection


@given(seed=st.integers(0, 1000), members=st.integers(2, 5))
@settings(max_examples=examples(20), deadline=None)
def test_what_is_kept_finds_no_less_than_all_together(seed: int, members: int) -> None:
    trials = many(each=4)
    generator = np.random.default_rng(seed)
    parts = [generator.uniform(0.1, 10.0) * surprise(trials, generator.uniform(0, 3), seed + n) for n in range(members)]

    selection = select_members(trials, np.stack(parts, axis=2), "abcde"[:members])

    assert selection.auc_pr is not None
    assert selection.auc_pr_of_all is not None
    assert selection.auc_pr >= selection.auc_pr_of_all
    assert selection.kept.sum() >= 2
