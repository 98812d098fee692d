"""How members, features and steps share a reading's surprise: worked out by hand, and that shares sum to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.explanation import explain
from stream_detector.detection.scorer import WindowErrors
from stream_detector.readings import Float32Array

#: Two members, three steps, two features.
ERRORS = WindowErrors(
    attention=np.array([0.5, 0.25, 0.25], np.float32),
    expected=np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]], np.float32),
    feature_share=np.array([[1.0, 0.0], [0.25, 0.75]], np.float32),
    step_share=np.array([[0.0, 0.0, 1.0], [0.5, 0.25, 0.25]], np.float32),
    imputed=np.array([False, True]),
)


def test_the_surprise_is_shared_by_the_members_and_theirs_by_features_and_steps() -> None:
    explanation = explain(ERRORS, np.array([1.0, 3.0]))  # a quarter and three quarters

    assert explanation.member_share.tolist() == [0.25, 0.75]
    assert explanation.feature_share.tolist() == [0.4375, 0.5625]  # 1/4 + 3/4 * 1/4, 3/4 * 3/4
    assert explanation.step_share.tolist() == [0.375, 0.1875, 0.4375]  # 3/4 * 1/2, 3/4 * 1/4, 1/4 + 3/4 * 1/4


def test_a_member_without_surprise_explains_nothing() -> None:
    explanation = explain(ERRORS, np.array([2.0, 0.0]))

    assert explanation.member_share.tolist() == [1.0, 0.0]
    assert explanation.feature_share.tolist() == [1.0, 0.0]
    assert explanation.step_share.tolist() == [0.0, 0.0, 1.0]


def test_where_nothing_is_surprising_all_members_have_an_equal_share() -> None:
    explanation = explain(ERRORS, np.zeros(2))

    assert explanation.member_share.tolist() == [0.5, 0.5]
    assert explanation.feature_share.tolist() == [0.625, 0.375]


def test_expected_is_that_of_the_newest_step_and_attention_and_imputed_are_passed_on() -> None:
    explanation = explain(ERRORS, np.ones(2))

    assert explanation.expected.tolist() == [3.0, 30.0]
    assert explanation.attention.tolist() == [0.5, 0.25, 0.25]
    assert explanation.imputed.tolist() == [False, True]


def shares(rows: int, columns: int, seed: int) -> Float32Array:
    """Return rows of shares, each summing to one."""
    parts = np.random.default_rng(seed).exponential(size=(rows, columns))
    return np.asarray(parts / parts.sum(axis=1, keepdims=True), np.float32)


@settings(deadline=None)
@given(
    surprises=st.lists(st.floats(0.0, 1e6), min_size=1, max_size=8),
    steps=st.integers(1, 64),
    features=st.integers(1, 10),
    seed=st.integers(0, 1000),
)
def test_shares_are_not_negative_and_sum_to_one(surprises: list[float], steps: int, features: int, seed: int) -> None:
    members = len(surprises)
    errors = WindowErrors(
        attention=shares(1, steps, seed)[0],
        expected=np.zeros((steps, features), np.float32),
        feature_share=shares(members, features, seed + 1),
        step_share=shares(members, steps, seed + 2),
        imputed=np.zeros(features, np.bool_),
    )

    explanation = explain(errors, np.array(surprises))

    for share in (explanation.member_share, explanation.feature_share, explanation.step_share):
        assert share.min() >= 0.0
        assert share.sum() == pytest.approx(1.0, abs=1e-5)
