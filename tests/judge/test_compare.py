from __future__ import annotations

from tests.judge.compare import FIGURES, Choice, choose, compare, figures, leave_one_out, recall_verdict, verdict
from tests.judge.results import Result
from tests.judge.samples import alarms, result, sensor


def results(**vus: float) -> list[Result]:
    return [result(family, "1", sensor(value, 0.5, alarms([True]))) for family, value in vus.items()]


def test_a_change_stays_if_the_mean_gains_and_no_family_loses_more_than_a_hundredth() -> None:
    before = {"A": 0.5, "B": 0.5}

    assert verdict(before, {"A": 0.55, "B": 0.495}).startswith("The change stays: VUS-PR +0.0225 in the mean of 2 families")
    assert "does not stay" in verdict(before, {"A": 0.6, "B": 0.48})
    assert "B -0.020 lose more than 0.01" in verdict(before, {"A": 0.6, "B": 0.48})
    assert "does not stay" in verdict(before, before)


def test_families_that_lose_events_are_named() -> None:
    assert recall_verdict({"A": 0.9, "B": 0.9}, {"A": 0.8, "B": 0.86}) == "Events found fall by more than 0.05 in A -0.100."
    assert recall_verdict({"A": 0.9}, {"A": 0.9}) == "Events found fall by more than 0.05 in no family."


def test_only_families_that_both_have_are_compared() -> None:
    assert "1 families" in verdict({"A": 0.5, "C": 0.9}, {"A": 0.6, "B": 0.1})
    assert verdict({"A": 0.5}, {"B": 0.5}) == "There is no family to compare."


def test_only_cases_that_both_have_are_compared() -> None:
    after = [*results(A=0.6), result("A", "2", sensor(0.1, 0.5, alarms([False])))]
    text = compare(results(A=0.5), after)

    assert "1 cases that both have" in text
    assert "| A | +0.100 | +0.100 | +0.000 | +0.000 | +0.000 | +0.000 |" in text
    assert "The change stays" in text


def test_cases_that_are_no_longer_judged_are_named() -> None:
    text = compare(results(A=0.5, B=0.5), [*results(A=0.6), result("B", "1", error="too few readings")])

    assert "1 cases that both have" in text
    assert text.endswith("Before, but not now: B 1.\n")


def test_a_family_has_no_say_in_the_choice_of_its_own_figure() -> None:
    values = {"one": {"A": 0.9, "B": 0.4, "C": 0.4}, "two": {"A": 0.5, "B": 0.5, "C": 0.5}}

    assert leave_one_out(values) == [Choice("A", "two", 0.5), Choice("B", "one", 0.4), Choice("C", "one", 0.4)]


def test_less_is_better_for_false_alarms() -> None:
    values = {"one": {"A": 1.0, "B": 2.0}, "two": {"A": 2.0, "B": 1.0}}

    assert [choice.candidate for choice in leave_one_out(values, FIGURES["false per 1,000"].is_better)] == ["two", "one"]


def test_one_family_alone_leaves_nothing_to_choose_by() -> None:
    assert leave_one_out({"one": {"A": 1.0}, "two": {"A": 2.0}}) == []


def test_the_table_of_a_choice_has_the_mean_of_what_was_left_out() -> None:
    text = choose({"one": results(A=0.9, B=0.4, C=0.4), "two": results(A=0.5, B=0.5, C=0.5)})

    assert "| A | 0.900 | 0.500 | two | 0.500 |" in text
    assert "| **mean** | 0.567 | 0.500 |  | 0.433 |" in text


def test_figures_at_each_budget_are_there() -> None:
    found = [result("A", "1", sensor(0.5, 0.5, alarms([True, False], false=6, alarmed=20), ("", "")))]

    assert figures(found, "events found at 1") == {"A": 0.5}
    assert figures(found, "false per 1,000") == {"A": 6.0}
    assert figures(found, "normal rows alarmed at 10") == {"A": 0.02}
    assert figures(found, "series in budget") == {"A": 0.0}
