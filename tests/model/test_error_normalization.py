from __future__ import annotations

import math

import numpy as np
import pytest
from keras import ops

from stream_detector.model.error_normalization import ErrorNormalization, fit_error_normalization
from stream_detector.readings import Float32Array

SEEN = np.ones((1, 1, 5), np.bool_)  # one window, one member
ALL_SCORED = np.ones(5, np.bool_)


def of_one_member(*values: float) -> Float32Array:
    return np.array([[values]], np.float32)


def usual(*members: list[float]) -> Float32Array:
    """Return usual errors [M, F]."""
    return np.array(members, np.float32)


def test_the_error_is_the_log_of_the_mean_of_the_largest_quarter_of_the_ratios() -> None:
    normalization = ErrorNormalization(usual([1.0, 2.0, 0.5, 4.0, 1.0]), ALL_SCORED)
    errors = of_one_member(3.0, 2.0, 2.0, 4.0, 1.0)  # ratios 3, 1, 4, 1, 1; ceil(5 / 4) = 2 are taken

    assert normalization.top_count == 2
    assert normalization.ratios(errors, SEEN).tolist() == [[[3.0, 1.0, 4.0, 1.0, 1.0]]]
    assert normalization.log_errors(errors, SEEN) == pytest.approx(np.array([[math.log(3.5)]]), abs=1e-6)


def test_each_member_has_usual_errors_of_its_own() -> None:
    normalization = ErrorNormalization(usual([1.0, 1.0], [10.0, 2.0]), np.ones(2, np.bool_))
    errors = np.array([[[4.0, 3.0], [4.0, 3.0]]], np.float32)

    assert normalization.log_errors(errors, np.ones((1, 2, 2), np.bool_)) == pytest.approx(
        np.array([[math.log(4.0), math.log(1.5)]]), abs=1e-5
    )


def test_no_error_at_all_has_a_logarithm() -> None:
    normalization = ErrorNormalization(usual([1.0] * 5), ALL_SCORED)

    assert normalization.log_errors(of_one_member(*[0.0] * 5), SEEN) == pytest.approx(np.array([[math.log(1e-6)]]))


def test_lost_rows_count_as_usual() -> None:
    normalization = ErrorNormalization(usual([1.0] * 5), ALL_SCORED)
    quarter_lost = np.full((1, 1, 5), 0.75, np.float32)

    assert normalization.ratios(of_one_member(9.0, 1.0, 0.0, 1.0, 5.0), quarter_lost).tolist() == [[[7.0, 1.0, 0.25, 1.0, 4.0]]]


def test_context_features_are_never_scored() -> None:
    normalization = ErrorNormalization(usual([1.0] * 5), np.array([True, False, True, True, True]))
    errors = of_one_member(3.0, 1000.0, 2.0, 1.0, 1.0)

    assert normalization.top_count == 1
    assert normalization.log_errors(errors, SEEN) == pytest.approx(np.array([[math.log(3.0)]]), abs=1e-6)


def test_a_feature_not_seen_neither_counts_nor_dilutes() -> None:
    normalization = ErrorNormalization(usual([1.0] * 5), ALL_SCORED)
    only_first = np.array([[[True, False, False, False, False]]])

    logs = normalization.log_errors(of_one_member(3.0, 9.0, 9.0, 9.0, 9.0), only_first)

    assert logs == pytest.approx(np.array([[math.log(3.0)]]), abs=1e-6)


def test_a_member_that_sees_no_scored_feature_says_nothing_unusual() -> None:
    normalization = ErrorNormalization(usual([1.0, 1.0], [1.0, 1.0]), np.array([True, False]))
    errors = np.full((1, 2, 2), 9.0, np.float32)
    seen = np.array([[[True, True], [False, True]]])  # the second member sees the context only

    assert normalization.log_errors(errors, seen) == pytest.approx(np.array([[math.log(9.0), 0.0]]), abs=1e-6)


def test_where_no_member_sees_a_scored_feature_there_is_no_error() -> None:
    normalization = ErrorNormalization(usual([1.0, 1.0], [1.0, 1.0]), np.array([True, False]))
    seen = np.array([[[False, True], [False, True]], [[True, True], [True, True]]])

    logs = normalization.log_errors(np.ones((2, 2, 2), np.float32), seen)

    assert np.isnan(logs).tolist() == [[True, True], [False, False]]


def test_the_graph_computes_the_same() -> None:
    rng = np.random.default_rng(3)
    normalization = ErrorNormalization(rng.uniform(0.5, 2.0, (3, 7)).astype(np.float32), rng.random(7) < 0.8)
    errors, seen = rng.uniform(0.0, 9.0, (20, 3, 7)).astype(np.float32), rng.random((20, 3, 7)).astype(np.float32)
    seen[seen > 0.4] = 0.0
    seen[0] = 0.0

    in_graph = ops.convert_to_numpy(normalization.log_errors(ops.convert_to_tensor(errors), ops.convert_to_tensor(seen), ops))

    assert in_graph == pytest.approx(normalization.log_errors(errors, seen), rel=1e-5, abs=1e-6, nan_ok=True)


def test_usual_errors_are_each_members_means_over_what_was_seen_with_a_floor() -> None:
    errors = np.array([[[2.0, 0.0, 100.0], [1.0, 1.0, 1.0]], [[4.0, 0.0, 100.0], [3.0, 1.0, 1.0]]], np.float32)
    seen = np.array([[[True] * 3, [True] * 3], [[False, True, True], [True] * 3]])

    normalization = fit_error_normalization(errors, seen, np.array([True, True, False]))

    # The first member's scored means are 2 and 0, their mean 1: the floor is 0.05. A context feature's is never used.
    assert normalization.usual_errors[:, :2] == pytest.approx(np.array([[2.0, 0.05], [2.0, 1.0]]))


def test_a_feature_never_seen_has_the_usual_error_of_the_others() -> None:
    errors = np.array([[[2.0, 4.0, 9.0], [7.0, 7.0, 7.0]]], np.float32)
    seen = np.array([[[True, True, False], [False, False, False]]])

    normalization = fit_error_normalization(errors, seen, np.ones(3, np.bool_))

    assert normalization.usual_errors.tolist() == [[2.0, 4.0, 3.0], [1.0, 1.0, 1.0]]


def test_perfect_expectation_gives_finite_errors() -> None:
    normalization = fit_error_normalization(np.zeros((4, 1, 2), np.float32), np.ones((4, 1, 2), np.bool_), np.ones(2, np.bool_))

    assert np.isfinite(normalization.log_errors(of_one_member(0.0, 1.0), np.ones((1, 1, 2), np.bool_))).all()
