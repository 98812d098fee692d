"""The one parser of values, and the words and numbers that mean missing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream_detector.values import (
    NOT_A_NUMBER,
    NOT_FINITE,
    SAYS_MISSING,
    WRONG_TYPE,
    MissingValues,
    Unusable,
    is_code,
    parse_value,
)
from tests.value_texts import MEANS_MISSING, NUMBERS, UNUSABLE


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_text_that_is_a_number_or_true_or_false_is_that_number(text: str, number: float) -> None:
    assert parse_value(text) == number


@pytest.mark.parametrize("text", MEANS_MISSING)
def test_words_mean_missing_whatever_their_case_and_blanks(text: str) -> None:
    found = parse_value(f" {text.upper()} ")

    assert found == Unusable(SAYS_MISSING, repr(text.upper()))


@pytest.mark.parametrize(("text", "reason"), UNUSABLE)
def test_what_is_no_number_has_a_reason(text: str, reason: str) -> None:
    found = parse_value(text)

    assert isinstance(found, Unusable)
    assert found.reason == reason


@pytest.mark.parametrize("value", [None, math.nan, "", "  ", "nan", "NULL"])
def test_nothing_and_nan_are_missing_without_a_reason(value: object) -> None:
    found = parse_value(value)

    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (True, 1.0),
        (False, 0.0),
        (7, 7.0),
        (10**400, Unusable(NOT_FINITE, "inf")),
        (-math.inf, Unusable(NOT_FINITE, "-inf")),
        (3.5e38, Unusable(NOT_FINITE, "3.5e+38")),
        ({"value": 1, "quality": "Bad"}, Unusable(WRONG_TYPE, "an object with value, quality")),
        ([1], Unusable(WRONG_TYPE, "a list")),
        ("x" * 1000, Unusable(NOT_A_NUMBER, repr("x" * 40 + "..."))),
    ],
)
def test_values_that_are_no_text(value: object, found: object) -> None:
    assert parse_value(value) == found


def test_listed_words_come_before_everything_else() -> None:
    missing = MissingValues.of(["Stale", "off"])

    assert parse_value("STALE", missing.texts) == Unusable(SAYS_MISSING, "'STALE'")
    assert parse_value("Off", missing.texts) == Unusable(SAYS_MISSING, "'Off'")


def test_a_list_an_option_and_json_say_the_same() -> None:
    listed = MissingValues.of(["Stale", -9999, {"flow": [-1, "held"], "level": 0}])

    assert MissingValues.parse(" Stale, -9999,flow=-1,flow=held,level=0") == listed
    assert MissingValues.of(listed.to_json()) == listed
    assert str(listed) == "'stale', -9999, 'held', -1 of flow, 0 of level"


def test_what_applies_to_a_feature_is_that_of_all_and_its_own() -> None:
    both = MissingValues.of([-9999]) | MissingValues.of({"flow": [-1]})

    assert both.of_feature("flow").numbers == {-9999.0, -1.0}
    assert both.of_feature("level").numbers == {-9999.0}
    assert not MissingValues.of([])


@pytest.mark.parametrize("listed", [[True], [None], [["Bad"]], [{"flow": [None]}]])
def test_anything_else_in_the_list_is_refused(listed: object) -> None:
    with pytest.raises(ValueError, match="neither text nor a number"):
        MissingValues.of(listed)


def test_a_code_is_found_to_the_precision_of_float32() -> None:
    values = np.array([9.96921e36, 1.5, np.nan, -9999.0], np.float32)

    assert is_code(values, MissingValues.of(["9.96921e36", -9999])).tolist() == [True, False, False, True]


@pytest.mark.parametrize("option", ["-9999;-8888", "temperature=-1|-2", "=5"])
def test_an_option_with_other_separators_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match="separate values by commas"):
        MissingValues.parse(option)
