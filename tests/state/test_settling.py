"""When a running scale counts as settled: at a checkpoint, if half as many values had about the same moments."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.state.record_layout import Records, new_records
from stream_detector.state.settling import are_at_checkpoint, have_settled, keep_checkpoints

LEARNED, MOST = 8, np.array([[128]])


def moments(count: int, mean: float = 0.0, deviation: float = 1.0, *, earlier: tuple[float, float] = (0.0, 1.0)) -> Records:
    """Return the moments [1, 1] of one feature."""
    found = new_records(1, 2, 1, 1)["moments"].copy()
    found["count"], found["mean"], found["squares"] = count, mean, deviation**2 * count
    found["earlier_mean"], found["earlier_deviation"] = earlier
    return found


def settled(found: Records) -> bool:
    return bool(have_settled(found, LEARNED, MOST)[0, 0])


def test_checkpoints_are_half_of_the_learned_count_and_its_doublings() -> None:
    counts = np.arange(200)

    assert counts[are_at_checkpoint(counts, LEARNED)].tolist() == [4, 8, 16, 32, 64, 128]


@pytest.mark.parametrize(("count", "expected"), [(4, False), (7, False), (8, True), (9, False), (16, True), (127, False)])
def test_moments_settle_at_a_checkpoint_from_the_learned_count_on(count: int, expected: bool) -> None:
    assert settled(moments(count)) == expected


@pytest.mark.parametrize(("mean", "deviation"), [(0.16, 1.0), (-0.16, 1.0), (0.0, 1.16), (0.0, 0.86)])
def test_moments_that_move_have_not_settled(mean: float, deviation: float) -> None:
    assert not settled(moments(8, mean, deviation))


@pytest.mark.parametrize(("mean", "deviation"), [(0.14, 1.0), (-0.14, 1.0), (0.0, 1.14), (0.0, 0.88)])
def test_moments_that_hardly_move_have_settled(mean: float, deviation: float) -> None:
    assert settled(moments(8, mean, deviation))


def test_the_largest_count_settles_whatever_the_moments_do() -> None:
    assert settled(moments(128, 5.0))
    assert settled(moments(129, 5.0))


def test_a_constant_feature_has_settled() -> None:
    """Also one whose mean is rounded in single precision."""
    assert settled(moments(8, 18_228_934.25, 0.0, earlier=(float(np.float32(18_228_934.25)), 0.0)))


def test_a_checkpoint_is_kept_where_a_value_is_added() -> None:
    found = np.concatenate([moments(8, 0.5, 2.0), moments(8, 0.5, 2.0), moments(9, 0.5, 2.0)])

    keep_checkpoints(found, np.array([[True], [False], [True]]), LEARNED)

    kept = list(zip(found["earlier_mean"][:, 0].tolist(), found["earlier_deviation"][:, 0].tolist(), strict=True))
    assert kept == [(0.5, 2.0), (0.0, 1.0), (0.0, 1.0)]
