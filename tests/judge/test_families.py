from __future__ import annotations

import pytest

from tests.judge.families import ahead, alarms_of, by_family, drills_of, kinds_found, mean_ranking
from tests.judge.product import BUDGETS
from tests.judge.results import Drills
from tests.judge.samples import alarms, result, sensor
from tests.judge.tables import report

ONE = sensor(0.6, 0.5, alarms([True, True], alarmed=10, delays=[2, 6]), ("shift", "drift"))
TWO = sensor(0.4, 0.5, alarms([True, False], false=6, alarmed=50, before=1, delays=[10]), ("shift", "drift"))


def test_sensors_are_summed_up_by_family() -> None:
    families = by_family(
        [result("B", "1", ONE), result("A", "1", ONE, TWO), result("B", "2", TWO), result("C", "1", error="no")]
    )

    assert {name: len(sensors) for name, sensors in families.items()} == {"A": 2, "B": 2}
    assert mean_ranking(families["A"], "product") == 0.5
    assert ahead(families["A"], "product", "windowed PCA") == (1, 2)


def test_alarms_of_a_family() -> None:
    found = alarms_of([ONE, TWO], "default")

    assert found is not None
    assert (found.found, found.events, found.events_found) == (3, 4, 0.75)
    assert found.alarmed_before == 1
    assert found.delay_rows == 6.0
    assert found.false_incidents == 6
    assert found.times_budget == pytest.approx(6 / 20)  # a budget of 1 over 20 days
    assert found.per_1000_normal == 3.0
    assert [found.alarmed_mean, found.alarmed_median] == pytest.approx([0.03, 0.03])
    assert (found.keep_budget, found.weeks_kept, found.median_a_week) == (0.5, 0.75, 1.5)


def test_events_that_no_sensor_has_are_no_share() -> None:
    found = alarms_of([sensor(0.5, 0.5, alarms([]), ())], "default")

    assert found is not None
    assert (found.events_found, found.delay_rows) == (None, None)
    assert alarms_of([ONE], "unknown") is None


def test_each_kind_of_fault_has_its_own_delays() -> None:
    assert kinds_found([ONE, TWO], "1") == {"drift": (1, 2, 360.0), "shift": (2, 2, 360.0)}


def drill(text: str, found: int) -> Drills:
    return {budget: [{"kind": "x", "text": text, "injected": 4, "found": found}] for budget in BUDGETS}


def test_injected_faults_are_added_up_by_kind() -> None:
    results = [result("A", "1", ONE, drill=drill("a shift", 3)), result("B", "1", ONE, drill=drill("a shift", 1))]

    assert drills_of(results, "1") == {"a shift": (4, 8)}
    assert "| a shift | 50% | 50% | 50% | 75% | 25% |" in report(results, {})


def test_the_report_has_a_row_for_each_family_and_says_what_was_not_judged() -> None:
    text = report(
        [result("A", "1", ONE, TWO), result("B", "1", error="too few readings")],
        {"A__1": {"rcf_online_test": 0.25, "rcf_event_recall": 0.5}},
    )

    assert "| A | 2 | .500 | .500 | .100 | .050 | .250 | 1 of 2 |" in text
    assert "| A | 75% (3 of 4; 1 alarmed before) | 6 rows | 6 | 0.3 | 3 | 3.0% (3.0%) | 50% | 75% | 1.5 |" in text
    assert "| A | 75.0% / 3.0% | 75.0% / 3.0% | 75.0% / 3.0% | 50.0% / - |" in text
    assert "| A | shift | 2 of 2, 6 min | 2 of 2, 6 min | 2 of 2, 6 min |" in text
    assert "- B 1: too few readings" in text
