"""The governor: a sensor's own incidents move its limit, within bounds, and the budget moves it back."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.detection.governor import LEAST, MOST, STEP_UP, Governor
from tests.detection.decision_cases import RULES, decided, headers, readings_of
from tests.docs_tables import DOCS

#: Two incidents are free. The budget allows one in ten readings.
GOVERNED = replace(RULES, rate=0.1, governor=Governor(spare=2.0), quiet_ms=1)
#: A reading that alarms, and one that closes the incident.
STORM = [2.5, 1.0]


def factors(surprises: list[float]) -> list[float]:
    """Return by what the margin is multiplied at each reading of a sensor."""
    decisions = decided(headers(GOVERNED), readings_of(surprises, list(range(0, 10 * len(surprises), 10))), GOVERNED)
    return list(decisions.factors.tolist())


def test_the_limit_stays_for_a_weeks_budget_of_incidents_and_then_rises_with_each() -> None:
    found = factors(STORM * 5)

    assert found[:5] == [1.0] * 5  # a reading that opens no incident counts a tenth of one less
    assert np.all(np.diff(found[5::2]) > 0.1)


def test_in_a_storm_the_limit_rises_until_what_alarmed_no_longer_does() -> None:
    decisions = decided(headers(GOVERNED), readings_of([2.3, 1.0] * 50, list(range(0, 1000, 10))), GOVERNED)

    free = 2.0 + 0.3 / STEP_UP
    assert free <= decisions.anomalous.sum() <= free + 1 + 100 * GOVERNED.rate
    assert decisions.anomalous[:6:2].all()


def test_a_large_fault_alarms_in_any_storm() -> None:
    assert decided(headers(GOVERNED), readings_of([*STORM * 100, 2.6], list(range(0, 2010, 10))), GOVERNED).anomalous[-1]
    assert max(factors(STORM * 100)) <= MOST


def test_quiet_readings_undo_it_and_where_there_are_fewer_incidents_than_allowed_the_limit_falls() -> None:
    found = factors([*STORM * 6, *[1.0] * 100])

    assert max(found) > 1.3
    assert found[-1] == pytest.approx(LEAST)
    assert min(found) >= LEAST


@pytest.mark.parametrize(("budget", "days"), [(0.1, 34), (1.0, 4)])
def test_the_page_says_in_how_many_days_the_highest_limit_comes_down(budget: float, days: int) -> None:
    governor, balance, took = Governor.of(budget), np.array([100.0]), 0
    balance = governor.after(balance, np.array([True]), np.array([0.0]))

    while governor.factor(balance)[0] > 1.0:
        balance = governor.after(balance, np.array([False]), np.array([budget]))
        took += 1

    assert took == days
    assert re.search(rf"from its highest in .*\b{days} (days )?at ", (DOCS / "false-alarms.md").read_text())


def test_without_a_budget_to_keep_nothing_moves() -> None:
    assert decided(headers(), readings_of(STORM * 10, list(range(0, 200, 10)))).factors.tolist() == [1.0] * 20


@given(st.lists(st.booleans(), max_size=400), st.floats(1e-6, 0.5), st.floats(0.0, 20.0))
def test_the_factor_stays_within_its_bounds_and_the_balance_counts(opened: list[bool], rate: float, spare: float) -> None:
    governor, balance = Governor(spare), np.zeros(1)
    for one in opened:
        balance = governor.after(balance, np.array([one]), np.array([rate]))

    assert LEAST <= governor.factor(balance)[0] <= MOST
    assert balance[0] <= max(0.0, sum(opened))


def test_a_weeks_budget_is_spared_and_at_least_two() -> None:
    assert Governor.of(0.1).spare == 2.0
    assert Governor.of(3.0).spare == 21.0
