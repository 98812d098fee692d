"""A measured value beside the one that was expected."""

from __future__ import annotations

import math

import pytest

from stream_detector.amounts import compared, number, told_apart


@pytest.mark.parametrize(
    ("value", "expected", "shown"),
    [
        (71.3, 62.0, "71.3, expected 62.0 (+9.3)"),
        (61.2, 44.0, "61.2, expected 44.0 (+17.2)"),
        (60.034, 60.0, "60.034, expected 60.000 (+0.034)"),
        (5.0, 5.0, "5.0, expected 5.0 (+0.0)"),
        (12_345.6, 13_000.0, "12346, expected 13000 (-654)"),
        (0.0, 950.0, "0, expected 950 (-950)"),
        (1.0, 1.000000001, "1, expected 1"),
        (3e12, 1e12, "3e+12, expected 1e+12"),
        (None, 30.5, "missing, expected 30.5"),
        (math.nan, None, "missing"),
        (30.5, None, "30.5"),
        (30.5, math.inf, "30.5"),
    ],
)
def test_both_have_the_digits_that_their_difference_needs(value: float | None, expected: float | None, shown: str) -> None:
    assert compared(value, expected) == shown


def test_a_number_has_an_exponent_only_if_it_needs_one() -> None:
    assert [number(value) for value in (0.5, 1234.5, 123456.7, 1.5e-7)] == ["0.5", "1234", "123457", "1.5e-07"]


@pytest.mark.parametrize(
    ("value", "other", "shown"),
    [
        (4.213, 2.0, ("4.21", "2")),
        (3.2512, 3.2498, ("3.251", "3.25")),
        (3.79001, 3.79, ("3.79001", "3.79")),
        (2.0, 2.0, ("2", "2")),
    ],
)
def test_two_values_have_the_digits_by_which_they_differ(value: float, other: float, shown: tuple[str, str]) -> None:
    assert told_apart(value, other) == shown
