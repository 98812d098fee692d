"""A member weighs more the better it finds faults, less where it does harm, and a quarter where it makes no difference."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.gate.autoencoder_weight import (
    FULL_GAIN_OF_MORE,
    SHARES,
    USUAL_SHARE,
    AutoencoderWeight,
    choose_share,
    share_of,
)
from stream_detector.gate.fault_kinds import DRIFT, SPIKE
from stream_detector.gate.trials import Trials
from stream_detector.readings import Float64Array
from tests.gate.hand_made import trials_of

MEMBERS = ("pca", "forecast", "network")


def many() -> Trials:
    return trials_of(*[(kind, 30, 40) for kind in (SPIKE, DRIFT) for _ in range(10)], rows=40)


def surprise(trials: Trials, strength: float, seed: int) -> Float64Array:
    """Return exponential noise, as healthy surprises are, more of it in the faults."""
    noise = np.random.default_rng(seed).exponential(size=trials.is_faulty.shape)
    return noise + strength * trials.is_faulty


def chosen(strengths: tuple[float, float, float]) -> AutoencoderWeight:
    trials = many()
    surprises = np.stack([surprise(trials, strength, seed) for seed, strength in enumerate(strengths)], axis=2)
    return choose_share(trials, surprises, MEMBERS, "network")


def test_a_member_that_alone_finds_the_faults_has_the_largest_share() -> None:
    weight = chosen((0.0, 0.0, 2.0))

    assert weight.share == 0.75
    assert weight.gain is not None
    assert weight.gain > 0.3


@pytest.mark.parametrize(
    ("gains", "share"),
    [
        ((-0.1, 0.0, 0.0, -0.1), 0.25),
        ((-0.1, 0.0, 0.002, -0.1), 0.35),  # four tenths of the way to a half
        ((-0.1, 0.0, 0.005, 0.005), 0.5),
        ((-0.1, 0.0, 0.02, 0.0225), 0.625),
        ((-0.1, 0.0, 0.02, 0.04), 0.75),
        ((0.09, 0.0, -0.1, -0.2), 0.25),
        ((0.11, 0.0, -0.1, -0.2), 0.0),
        ((0.02, 0.0, 0.021, -0.2), 0.3),  # a half is better than both, by a fifth of the full gain
    ],
)
def test_the_share_goes_as_much_of_a_way_as_its_gain_is_of_the_full_one(gains: tuple[float, ...], share: float) -> None:
    quality = dict(zip(SHARES, (0.8 + gain for gain in gains), strict=True))

    assert share_of(quality) == pytest.approx(share)


@given(st.tuples(*[st.floats(0.0, 0.05)] * 3), st.integers(1, 3), st.floats(-0.001, 0.001))
def test_a_small_change_of_the_trials_changes_the_share_little(gains: tuple[float, ...], at: int, change: float) -> None:
    before = dict(zip(SHARES, (0.0, *gains), strict=True))
    after = {**before, SHARES[at]: before[SHARES[at]] + change}

    assert USUAL_SHARE <= share_of(after) <= 0.75
    assert abs(share_of(after) - share_of(before)) <= 2 * USUAL_SHARE * abs(change) / FULL_GAIN_OF_MORE + 1e-9


def test_a_member_that_calls_faults_usual_is_left_out() -> None:
    weight = chosen((1.0, 1.0, -1.0))

    assert weight.share == 0.0
    assert weight.gain == 0.0
    assert weight.weights(MEMBERS).tolist() == [0.5, 0.5, 0.0]


def test_a_member_that_finds_nothing_costs_little_and_keeps_the_usual_share() -> None:
    weight = chosen((1.0, 1.0, 0.0))

    assert weight.share == USUAL_SHARE
    assert weight.gain is not None
    assert -0.03 < weight.gain < 0.0


def test_a_member_that_says_what_the_others_say_keeps_the_usual_share() -> None:
    trials = many()
    one = surprise(trials, 1.0, 0)

    weight = choose_share(trials, np.stack([one, one, one], axis=2), MEMBERS, "network")

    assert weight.share == USUAL_SHARE
    assert weight.gain == pytest.approx(0.0)
    assert weight.weights(MEMBERS).tolist() == [0.375, 0.375, 0.25]
    assert len(set(weight.auc_pr_by_share.values())) == 1


def test_without_trials_the_share_is_the_usual_one_and_its_worth_unknown() -> None:
    trials = trials_of(rows=0)

    weight = choose_share(trials, np.empty((0, 0, 3)), MEMBERS, "network")

    assert (weight.share, weight.gain, weight.standard_error) == (USUAL_SHARE, None, None)
    assert json.loads(json.dumps(weight.as_json()))["member"] == "network"
