"""Windows of random series and their mixtures: equal seeds give equal windows; a mixture is as large as a series."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.simulation.random_mixtures import SeriesPool
from stream_detector.simulation.random_series import random_series

POOL = SeriesPool.draw(1, range(40), 300)


def test_the_series_are_those_with_these_numbers() -> None:
    np.testing.assert_array_equal(POOL.values[7], random_series(1, 7, 300).astype(np.float32))


@pytest.mark.parametrize("features", [1, 2, 9])
def test_equal_seeds_give_equal_windows(features: int) -> None:
    first, again = (POOL.windows(np.random.default_rng(3), 20, features, 64) for _ in range(2))

    assert first.shape == (20, 64, features)
    np.testing.assert_array_equal(first, again)


def test_the_values_of_one_feature_are_those_of_a_series() -> None:
    window = POOL.windows(np.random.default_rng(5), 1, 1, 64)[0, :, 0]

    runs = np.lib.stride_tricks.sliding_window_view(POOL.values, 64, axis=1).reshape(-1, 64)
    assert any(np.array_equal(run, window, equal_nan=True) for run in runs)


def test_features_of_mixtures_vary_as_series_do_and_go_together() -> None:
    windows = POOL.windows(np.random.default_rng(6), 400, 4, 64)
    whole = windows[~np.isnan(windows).any(axis=(1, 2))]

    related = [abs(np.corrcoef(window.T)[0, 1]) for window in whole if (window.std(axis=0) > 0).all()]
    assert 0.7 < float(np.square(whole).mean()) < 1.4
    assert float(np.mean(np.array(related) > 0.9)) > 0.1
