"""Whether a calibration can check the budget in force."""

from __future__ import annotations

import pytest

from stream_detector.training.budget_check import check_budget, round_up

MOST = 60_000


def test_ten_expected_incidents_check_a_budget() -> None:
    # One reading a minute: 14,400 readings are ten days.
    enough, too_few = (check_budget(budget, 14_400, 1, 60.0, MOST) for budget in (1.0, 0.99))

    assert enough.expected_incidents == pytest.approx(10.0)
    assert enough.is_checked is True
    assert too_few.is_checked is False
    assert too_few.smallest_checked == 1.0


def test_a_budget_below_what_the_most_readings_can_check_needs_more_than_any_history() -> None:
    default = check_budget(0.1, 60_000, 12, 60.0, MOST)

    assert default.needed_days is None
    assert default.smallest_possible == 0.3  # 10 in 60,000 minutes are .24 a day
    assert check_budget(1.0, 5_000, 4, 60.0, MOST).needed_days == pytest.approx(10 / 0.3 / 4)


@pytest.mark.parametrize(("value", "rounded"), [(0.24, 0.3), (0.3, 0.3), (1.0, 1.0), (1.01, 2.0), (14.4, 20.0), (99.0, 100.0)])
def test_figures_are_rounded_up_to_a_digit(value: float, rounded: float) -> None:
    assert round_up(value) == rounded
