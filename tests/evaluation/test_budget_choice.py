"""Which budget fits a file, by what several budgets find in it and how often they alarm falsely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from stream_detector.evaluation.budget_choice import (
    BudgetFigures,
    budget_cells,
    budget_sentence,
    budget_table,
    chosen,
    is_chosen,
)
from stream_detector.evaluation.verdict import verdict_lines
from tests.evaluation.test_verdict import detector
from tests.evaluation.test_verdict import report as report_of

DAYS = 20.0
#: Budget, events found, of these by an alarm that was on before, false alarms.
Row = tuple[float, int, int, int]
#: At 0.1 most events are missed; 1 finds them, with more false alarms than it accepts; 10 is no choice.
BETWEEN = ((0.01, 0, 0, 0), (0.1, 2, 0, 4), (1.0, 9, 0, 25), (10.0, 10, 3, 180))


def report(rows: Sequence[Row], in_force: float = 0.1, events: int = 12) -> dict[str, Any]:
    budgets = [
        {
            "budget_per_sensor_day": budget,
            "events_found": found,
            "events_alarmed_before": before,
            "false_incidents": false,
            "sensor_days": DAYS,
        }
        for budget, found, before, false in rows
    ]
    ours = next(row for row in rows if row[0] == in_force)
    told = report_of(detector(0.7, ours[1], ours[3], DAYS, events), budget=in_force)
    return told | {"budgets": budgets}


def fitting(rows: Sequence[Row]) -> list[float]:
    return [one.budget for one in chosen([BudgetFigures(*row, DAYS) for row in rows])]


def test_the_advice_is_the_same_at_whichever_budget_the_file_was_evaluated() -> None:
    sentences = {budget_sentence(report(BETWEEN, row[0])) for row in BETWEEN}

    assert sentences == {
        "Which budget? 1 fits this file best (STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY), with 9 of 12 events found and 25 "
        "false alarms; 0.1 finds 2, with 4 false alarms; 10 finds 10, with 180 false alarms."
    }


@pytest.mark.parametrize("in_force", [0.1, 1.0])
def test_no_other_sentence_names_a_budget_to_set(in_force: float) -> None:
    lines = verdict_lines(report(BETWEEN, in_force))

    assert [line for line in lines if "BUDGET_PER_SENSOR_DAY" in line] == [budget_sentence(report(BETWEEN))]


def test_more_events_are_not_worth_any_number_of_false_alarms() -> None:
    # 9 events less 0.5 are 8.5; 10 less 2.8 are 7.2, less than 90 % of that. 9 less 2.5 are 6.5, and more than 90 % of 7.2.
    assert fitting([(0.01, 9, 0, 5), (0.1, 10, 0, 28)]) == [0.01]
    assert fitting([(0.01, 9, 0, 25), (0.1, 10, 0, 28)]) == [0.01, 0.1]


def test_an_event_that_an_alarm_was_on_before_does_not_count() -> None:
    assert fitting([(0.01, 6, 0, 2), (0.1, 8, 4, 2)]) == [0.01]


def test_neither_a_budget_above_one_a_day_nor_more_false_alarms_than_that_are_a_choice() -> None:
    assert fitting([(1.0, 2, 0, 0), (10.0, 12, 0, 20)]) == [1.0]
    # One a day allows 20 in 20 days; twice its Poisson deviation is 8.9.
    assert fitting([(0.1, 2, 0, 0), (1.0, 12, 0, 28)]) == [1.0]
    assert fitting([(0.1, 2, 0, 0), (1.0, 12, 0, 29)]) == [0.1]


def test_budgets_that_differ_little_fit_alike_and_then_the_one_in_force_may_stay() -> None:
    rows = ((0.01, 3, 0, 0), (0.1, 9, 0, 2), (1.0, 10, 0, 3), (10.0, 10, 0, 9))

    assert budget_sentence(report(rows)) == (
        "Which budget? 0.1 to 1 fits this file best (STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY), with 9 to 10 of 12 events "
        "found and 2 to 3 false alarms; 0.01 finds 3, with no false alarms; 10 finds 10, with 9 false alarms."
    )
    assert [is_chosen(report(rows, row[0])) for row in rows] == [False, True, True, False]


def test_where_none_is_worth_its_false_alarms_none_is_advised() -> None:
    rows = ((0.1, 1, 0, 15), (1.0, 1, 0, 1))

    assert budget_sentence(report(((0.1, 1, 0, 15), (1.0, 2, 2, 20)))) == (
        "Which budget? None of these finds these 12 events with few false alarms: 0.1 finds 1, with 15 false alarms; 1 finds "
        "2, with 20 false alarms."
    )
    assert fitting(rows) == [1.0]


def test_of_few_events_or_one_budget_nothing_is_said() -> None:
    assert budget_sentence(report(BETWEEN, events=2)) == ""
    assert is_chosen(report(BETWEEN, events=2))
    assert budget_sentence(report(BETWEEN[1:2])) == ""
    assert budget_sentence(report_of(detector(0.7))) == ""


def test_the_table_has_both_sides_of_each_budget_and_fits() -> None:
    lines = budget_table(report(BETWEEN))

    assert max(map(len, lines)) <= 78
    assert lines[-1].split() == ["10", "10/12", "3", "180", "9"]
    assert budget_cells(report(BETWEEN))[1] == ("0.1", "2/12", "0", "4", "0.2")
    assert budget_table(report_of(detector(0.7))) == []
