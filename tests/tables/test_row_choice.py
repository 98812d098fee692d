"""--exclude and --only-while: which rows stay, what is refused, and that a condition is never run as a program."""

from __future__ import annotations

import re
from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.state.condition import Condition
from stream_detector.tables.dataset import Dataset
from stream_detector.tables.row_choice import Span, holds, while_true, without_spans

NAN = float("nan")


def dataset(columns: dict[str, list[float]], codes: list[int] | None = None) -> Dataset:
    """Return readings a second apart, from 2026-11-28T10:00:00Z on."""
    count = len(next(iter(columns.values())))
    return Dataset(
        features=tuple(columns),
        sensors=("a", "b"),
        codes=np.array(codes or [0] * count, np.int32),
        times_ms=1_795_860_000_000 + 1000 * np.arange(count),
        values=np.column_stack(list(columns.values())),
        rows=np.arange(count),
    )


READINGS = dataset({"running": [1, 0, 1, NAN], "speed": [5, 50, 500, 5], "Temp [°C]": [1, 2, 3, 4], "P1.x": [0, 0, 1, 1]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("running == 1", [True, False, True, True]),  # the missing value is the last one
        ("running != 1", [False, True, False, False]),
        ("speed > 10", [False, True, True, False]),
        ("10 < speed <= 50", [False, True, False, False]),
        ("running == 1 and speed > 10", [False, False, True, False]),
        ("running == 0 or speed > 100", [False, True, True, False]),
        ("not running == 1", [False, True, False, False]),
        ("speed * 2 - 1 >= 99", [False, True, True, False]),
        ("speed > -1", [True, True, True, True]),
        ("`Temp [°C]` >= 3", [False, False, True, True]),
        ("P1.x == 1", [False, False, True, True]),
        ("running == true", [True, False, True, True]),
        ("speed / 0 > 1", [True, True, True, True]),  # infinite, and no error
    ],
)
def test_a_condition_holds_where_its_words_say(text: str, expected: list[bool]) -> None:
    assert holds(READINGS, Condition.parse(text)).tolist() == expected


def test_before_a_sensors_first_value_a_condition_does_not_hold() -> None:
    readings = dataset({"on": [1, NAN, NAN, 0]}, codes=[0, 1, 0, 1])

    assert holds(readings, Condition.parse("on == 1")).tolist() == [True, False, True, False]
    assert holds(readings, Condition.parse("not on == 1")).tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "running",
        "1",
        "running = 1",
        "running == 'on'",
        "(lambda: 1)() == 1",
        "[x for x in (1,)] == 1",
        "running[0] == 1",
        "running ** 9 == 1",
        "running is 1",
        "Temp [°C] > 1",
        "",
        "(" * 400 + "running == 1" + ")" * 400,
        "a" * 2000 + " == 1",
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"condition|comparison|understood|longer"):
        Condition.parse(text)


def test_a_condition_on_no_feature_or_that_never_holds_is_refused() -> None:
    with pytest.raises(InputDataError, match=re.escape("names 'x', which is no feature (features: running, speed,")):
        while_true(READINGS, Condition.parse("x == 1"))
    with pytest.raises(InputDataError, match="holds in none of 4 readings"):
        while_true(READINGS, Condition.parse("speed > 1000"))
    with pytest.raises(InputDataError, match="A_SETTING 'speed > 1000' holds in none"):
        while_true(READINGS, Condition.parse("speed > 1000"), "A_SETTING")


def test_rows_outside_of_a_state_are_counted() -> None:
    assert while_true(READINGS, Condition.parse("speed > 10"))[1] == "only while speed > 10: 2 of 4 readings are left out"


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        ("2026-11-28T10:00:01Z/2026-11-28T10:00:03Z", [1, 4]),
        ("/2026-11-28T10:00:02Z", [3, 4]),
        ("2026-11-28T10:00:02Z/..", [1, 2]),
        ("2026-11-28T11:00:02/", [1, 2]),  # local to Berlin
    ],
)
def test_spans_are_left_out_with_their_beginning_and_without_their_end(span: str, kept: list[float]) -> None:
    left, notes = without_spans(READINGS, [Span.parse(span)], ZoneInfo("Europe/Berlin"))

    assert left.column("Temp [°C]").tolist() == kept
    assert notes[0].startswith("excluded: 2 of 4 readings in ")


def test_a_span_without_readings_is_doubted_and_one_of_all_is_refused() -> None:
    assert without_spans(READINGS, [Span.parse("/2020-01-01")], UTC)[1][0].endswith("is the time right, and its zone?")
    with pytest.raises(InputDataError, match="--exclude leaves none of the 4 readings"):
        without_spans(READINGS, [Span.parse("2020-01-01/")], UTC)


@pytest.mark.parametrize("text", ["2026-11-28", "/", "now/then", "2026-11-29/2026-11-28", "../.."])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"FROM/TO|isoformat|before"):
        Span.parse(text)
