from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from stream_detector.model.whitening import Whitening, fit_whitening

SEEN = np.ones((1, 5), np.bool_)


def test_score_is_the_mean_of_the_largest_quarter_of_the_ratios() -> None:
    whitening = Whitening(np.array([1.0, 2.0, 0.5, 4.0, 1.0], np.float32), np.ones(5, np.bool_))
    errors = np.array([[3.0, 2.0, 2.0, 4.0, 1.0]], np.float32)  # ratios 3, 1, 4, 1, 1; ceil(5 / 4) = 2 are taken

    assert whitening.largest == 2
    assert whitening.score(errors, SEEN).tolist() == [3.5]


def test_context_features_are_never_scored() -> None:
    whitening = Whitening(np.ones(5, np.float32), np.array([True, False, True, True, True]))
    errors = np.array([[3.0, 1000.0, 2.0, 1.0, 1.0]], np.float32)

    assert whitening.largest == 1
    assert whitening.score(errors, SEEN).tolist() == [3.0]


def test_a_feature_not_seen_neither_counts_nor_dilutes() -> None:
    whitening = Whitening(np.ones(5, np.float32), np.ones(5, np.bool_))
    errors = np.array([[3.0, 9.0, 9.0, 9.0, 9.0]], np.float32)

    only_first = np.array([[True, False, False, False, False]])

    assert whitening.score(errors, only_first).tolist() == [3.0]
    assert np.isnan(whitening.score(errors, ~SEEN)).tolist() == [True]


def test_the_graph_computes_the_same() -> None:
    rng = np.random.default_rng(3)
    whitening = Whitening(rng.uniform(0.5, 2.0, 7).astype(np.float32), rng.random(7) < 0.8)
    errors, seen = rng.uniform(0.0, 9.0, (20, 7)).astype(np.float32), rng.random((20, 7)) < 0.6

    in_graph = ops.convert_to_numpy(whitening.score(ops.convert_to_tensor(errors), ops.convert_to_tensor(seen), ops))

    assert in_graph == pytest.approx(whitening.score(errors, seen), rel=1e-6, nan_ok=True)


def test_usual_errors_are_means_over_what_was_seen_with_a_floor() -> None:
    errors = np.array([[2.0, 0.0, 100.0], [4.0, 0.0, 100.0]], np.float32)
    seen = np.array([[True, True, True], [False, True, True]])

    whitening = fit_whitening(errors, seen, np.array([True, True, False]))

    # Scored means are 2 and 0, their mean 1: the floor is 0.05. A context feature's is never used.
    assert whitening.baseline[:2] == pytest.approx([2.0, 0.05])


def test_perfect_reconstruction_gives_finite_scores() -> None:
    whitening = fit_whitening(np.zeros((4, 2), np.float32), np.ones((4, 2), np.bool_), np.ones(2, np.bool_))

    assert np.isfinite(whitening.score(np.array([[0.0, 1.0]], np.float32), np.ones((1, 2), np.bool_))).all()
