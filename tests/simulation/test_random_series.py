"""Random series: a pure function of seed and number, of every kind."""

from __future__ import annotations

import numpy as np

from stream_detector.simulation.random_series import random_series


def test_a_series_is_a_pure_function_of_seed_and_number() -> None:
    assert random_series(1, 7, 500).tobytes() == random_series(1, 7, 500).tobytes()
    assert random_series(1, 7, 500).tobytes() != random_series(1, 8, 500).tobytes()
    assert random_series(1, 7, 500).tobytes() != random_series(2, 7, 500).tobytes()


def test_series_are_finite_of_unit_scale_and_some_lack_values() -> None:
    series = [random_series(3, number, 800) for number in range(60)]

    lacks = [np.isnan(one).mean() for one in series]
    assert all(np.isfinite(one[~np.isnan(one)]).all() for one in series)
    assert all(0.9 < np.nanstd(one) < 1.1 for one in series)
    assert 0 < sum(share > 0 for share in lacks) < 30
    assert max(lacks) < 0.1
