"""A member weighs more where it finds faults better, less where it does harm, and a quarter where it makes no difference."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stream_detector.gate.autoencoder_weight import USUAL_SHARE, AutoencoderWeight, choose_share
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


def test_a_larger_share_needs_half_the_gain_that_a_smaller_one_does() -> None:
    little, enough = chosen((1.0, 1.0, 1.05)), chosen((1.0, 1.0, 1.1))

    gains = [one.auc_pr_by_share["0.5"] - one.auc_pr_by_share["0.25"] for one in (little, enough)]
    assert (little.share, enough.share) == (USUAL_SHARE, 0.5)
    assert 0.0 < gains[0] < 0.005 < gains[1] < 0.01


def test_a_member_that_finds_nothing_is_left_out() -> None:
    weight = chosen((1.0, 1.0, 0.0))

    assert weight.share == 0.0
    assert weight.gain == 0.0
    assert weight.weights(MEMBERS).tolist() == [0.5, 0.5, 0.0]


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
