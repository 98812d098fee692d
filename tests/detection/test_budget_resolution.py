"""Whether the readings that the limit was fitted to resolve the budget in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_detector.detection.budget_resolution import (
    PAGE,
    BudgetResolution,
    mean_interval_seconds,
    needed_days,
    resolution_of,
    resolve_budget,
    round_up,
)
from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.state.known_sensors import SensorTable

#: Of 200 readings a second apart and 100 ten minutes apart: on average 200.67 s are watched per reading.
TABLE = SensorTable(
    rows={"fast": 0, "slow": 1},
    location=np.zeros((2, 1), np.float32),
    deviation=np.ones((2, 1), np.float32),
    levels=np.zeros((2, 1)),
    counts=np.array([200.0, 100.0]),
    interval_ms=np.array([1_000.0, 600_000.0], np.float32),
    pause_ms=np.array([1_000.0, 600_000.0], np.float32),
)
CALIBRATION = Calibration(
    members=("pca",),
    weights=np.ones(1),
    tails=Tails(np.zeros((1, 2)), np.zeros(2), np.ones(1)),
    pooled_level=np.zeros(1),
    typical=0.5,
    tail_start=0.5,
    tail_rate=0.01,
    tail_scale=0.25,
    tail_shape=0.0,
    readings=14_400,
    sensors=TABLE,
)


def test_ten_expected_incidents_resolve_a_budget() -> None:
    # One reading a minute: 14,400 readings are ten days.
    enough, too_few = (resolve_budget(budget, 14_400, 1, 60.0) for budget in (1.0, 0.99))

    assert enough.expected_incidents == pytest.approx(10.0)
    assert enough.is_resolved is True
    assert too_few.is_resolved is False
    assert too_few.smallest_resolved == 1.0


def test_a_budget_below_what_the_most_readings_resolve_needs_more_than_any_history() -> None:
    default = resolve_budget(0.1, 200_000, 12, 10.0)

    assert default.needed_days is None
    assert default.smallest_resolved == 0.5  # 10 in 2,000,000 seconds are .43 a day
    assert resolve_budget(1.0, 5_000, 4, 60.0).needed_days == pytest.approx(10 / 0.3 / 4)


def test_the_part_that_the_limit_is_fitted_to_needs_a_longer_history() -> None:
    # 86,400 readings, one a second, are a day; 30 % of the history of two sensors.
    assert needed_days(86_400, 1.0, sensors=2) == pytest.approx(1 / 0.3 / 2)


def test_sensors_count_with_their_own_intervals_and_the_readings_of_each() -> None:
    assert mean_interval_seconds(TABLE, 7.0) == pytest.approx((200 * 1.0 + 100 * 600.0) / 300)
    assert mean_interval_seconds(replace(TABLE, interval_ms=np.zeros(0, np.float32)), 7.0) == 7.0


def test_a_model_resolves_a_budget_by_the_readings_that_are_scored() -> None:
    watched_days = 14_400 * (200 * 1.0 + 100 * 600.0) / 300 / 86_400

    every, third = (resolution_of(CALIBRATION, 1.0, stride, 7.0) for stride in (1, 3))

    assert every is not None
    assert third is not None
    assert every.expected_incidents == pytest.approx(watched_days)
    assert third.expected_incidents == pytest.approx(3 * watched_days)


def test_nothing_is_said_of_what_was_fitted_to_no_sensor() -> None:
    none = SensorTable({}, np.empty((0, 1), np.float32), np.empty((0, 1), np.float32), np.empty((0, 1)), np.empty(0))

    assert resolution_of(replace(CALIBRATION, sensors=none), 1.0, 1, 1.0) is None


@pytest.mark.parametrize(
    ("known", "said"),
    [
        # A reading a second: 2,592 are 43.2 min, and the most that training uses, 200,000, are 2.3 days.
        (
            resolve_budget(0.1, 2_592, 1, 1.0),
            (
                "The alarm limit for 0.1 false alarms per sensor and day (one in 10 days) is an estimate: training set it on "
                "43.2 min of readings, all sensors together, and would need 100 days of them to check it.",
                "You need to set nothing: alarms may be more or fewer, and a sensor's own alarms then move its limit. No "
                "longer history would check it: training uses 2.31 days at most of a reading every 1 s. It checks a budget of "
                "400 or more (docs/false-alarms.md).",
            ),
        ),
        # A reading a minute: 4,320 are three days, so three incidents; ten need ten days, 30 % of 33.3.
        (
            resolve_budget(1.0, 4_320, 1, 60.0),
            (
                "The alarm limit for 1 false alarm per sensor and day is an estimate: training set it on 3 days of readings, "
                "all sensors together, and would need 10 days of them to check it.",
                "You need to set nothing: alarms may be more or fewer, and a sensor's own alarms then move its limit. About 34 "
                "days of history would check it; this one checks a budget of 4 or more (docs/false-alarms.md).",
            ),
        ),
        (
            resolve_budget(5.0, 4_320, 1, 60.0),
            (
                "The alarm limit for 5 false alarms per sensor and day is checked: training set it on 3 days of readings, all "
                "sensors together, which allow 15.",
            ),
        ),
    ],
)
def test_words_say_what_the_limit_rests_on_and_what_to_do(known: BudgetResolution, said: tuple[str, ...]) -> None:
    assert known.lines() == said


def test_a_day_of_a_large_fleet_is_one_day() -> None:
    # Ten alarms at 1 a day are ten sensor-days, 30 % of what 40 sensors give in .83 days.
    assert "About 1 day of history would check it" in resolve_budget(1.0, 5_000, 40, 60.0).advice()


def test_the_page_quotes_what_is_said() -> None:
    # 30 % of three days of four sensors that are read once a minute.
    page = (Path(__file__).parents[2] / PAGE).read_text()

    assert "".join(f"> {line}\n" for line in resolve_budget(0.1, 5_184, 4, 60.0).lines()) in page


@pytest.mark.parametrize(("value", "rounded"), [(0.24, 0.3), (0.3, 0.3), (1.0, 1.0), (1.01, 2.0), (14.4, 20.0), (99.0, 100.0)])
def test_figures_are_rounded_up_to_a_digit(value: float, rounded: float) -> None:
    assert round_up(value) == rounded
