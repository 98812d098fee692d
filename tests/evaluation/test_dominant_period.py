"""The dominant period of a series, against the reference implementation (TSB-AD's find_length_rank, on statsmodels' acf)."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.evaluation.dominant_period import DEFAULT_WINDOW, vus_window
from stream_detector.readings import Float64Array


def sine(period: float, rows: int = 400) -> Float64Array:
    return np.asarray(np.sin(2.0 * np.pi * np.arange(rows) / period))


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        (sine(25), 25),
        (sine(40) + np.arange(400) / 300.0, 40),
        ((np.arange(400) % 7).astype(np.float64), 7),
        (sine(12) + 2.0 * sine(50), 48),
        (sine(300, 2000), 299),
        (sine(350, 2000), 125),  # longer than 303 rows
        (sine(4), 125),  # shorter than 6
        (np.arange(400.0), 125),  # no peak
        (np.array([1.0, 5, 2, 8, 1, 4, 3, 9, 2, 6] * 2 + [1.0]), 125),
    ],
)
def test_agrees_with_the_reference(values: Float64Array, reference: int) -> None:
    assert vus_window(values) == reference


def test_what_has_no_rhythm_has_the_default_window() -> None:
    for values in (np.full(500, 0.1), np.full(50, np.nan), np.array([3.0]), np.array([1.0, 2.0, 1.0, 2.0])):
        assert vus_window(values) == DEFAULT_WINDOW


def test_missing_values_do_not_hide_the_rhythm() -> None:
    values = sine(25)
    values[100:130] = np.nan

    assert vus_window(values) == 25


def test_scale_and_level_do_not_matter() -> None:
    assert vus_window(1e6 + 1e-3 * sine(40)) == 40
