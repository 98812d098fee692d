from __future__ import annotations

import numpy as np

from tests.judge.weeks import DAY_MS, weeks_of


def days(*moments: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([round(moment * DAY_MS) for moment in moments], np.int64)


def test_the_first_day_is_left_out_and_the_rest_at_the_end_is_a_week_of_its_own() -> None:
    weeks = weeks_of(days(0.5, 1.5, 2.0, 7.9, 8.1, 16.0), 0, 17 * DAY_MS, budget_per_day=0.1)

    assert weeks.incidents == (3, 1, 1)  # days 1 to 8, 8 to 15, 15 to 17
    np.testing.assert_allclose(weeks.allowed, (2.1, 2.1, 1.0))
    assert weeks.as_json() == {"weeks": 3, "weeks_kept": 2, "median_a_week": 1.0, "worst_week": 3}


def test_a_series_of_a_day_is_one_week_and_may_have_one_incident() -> None:
    assert weeks_of(days(0.2), 0, DAY_MS, 0.1).as_json()["weeks_kept"] == 1
    assert weeks_of(days(0.2, 0.4), 0, DAY_MS, 0.1).as_json()["weeks_kept"] == 0


def test_a_larger_budget_allows_more() -> None:
    weeks = weeks_of(days(1.5, 2.5, 3.5), 0, 8 * DAY_MS, budget_per_day=1.0)

    assert weeks.allowed == (21.0,)
    assert weeks.kept == 1
