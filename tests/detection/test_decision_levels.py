"""How the levels of a sensor follow its normal errors, where they start, and when they are reset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.decision import decide, reset_for_model
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import Records
from tests.detection.decision_cases import (
    NAN,
    RULES,
    decided,
    headers,
    readings_of,
    readings_with,
    straight_tails,
    transitions,
    unknown,
)

#: The level of a sensor that the model does not know may move by 0.5, of another by 0.25; it forgets beyond 8 readings.
MOVING = replace(RULES, level_shift_limit=0.25, provisional_shift_limit=0.5, level_memory_count=8.0)


def level(header: Records) -> tuple[float, float]:
    """Return the shift of the first member's level, and how many readings are behind it."""
    return float(header["shift"][0, 0]), float(header["level_count"][0])


def test_the_level_is_the_running_mean_of_normal_errors() -> None:
    header = headers(MOVING)  # level 0, weighs 4

    decided(header, readings_of([1.5, 0.4], [0, 10]), MOVING)

    # (0 * 4 + 0.5) / 5 = 0.1; (0.1 * 5 - 0.6) / 6 = -1/60
    assert level(header) == pytest.approx((-1 / 60, 6.0), abs=1e-7)


STARTING = replace(MOVING, start_rise_limit=2.0)


def test_an_unknown_sensors_level_starts_with_its_first_error_if_that_is_above_the_fleets() -> None:
    """A scale learnt from part of a slow cycle is too small, and all errors on it are too large."""
    header = headers(STARTING)

    decisions = decided(header, readings_of([2.8, 2.8], [0, 10]), STARTING)

    assert decisions.surprises[:, 0].tolist() == pytest.approx([1.0, 1.0])
    assert level(header) == pytest.approx((1.8, 6.0))


def test_an_unknown_sensors_level_starts_no_lower_and_not_too_far_above_the_fleets() -> None:
    low, high = headers(STARTING), headers(STARTING)

    decided(low, readings_of([0.5], [0]), STARTING)
    decided(high, readings_of([9.0], [0]), STARTING)

    assert level(low) == pytest.approx((-0.5 / 5, 5.0))
    assert level(high) == pytest.approx((2.0, 4.0))  # anomalous


def test_a_known_sensors_level_starts_where_training_had_it() -> None:
    rules = replace(STARTING, starts=np.zeros((2, 1)), start_counts=np.array([4.0, 4.0]))
    header = headers(rules, np.array([0], np.int32))

    decide(header, np.array([0], np.int32), readings_of([2.8], [0]), rules)

    assert level(header) == (0.0, 4.0)


def test_while_the_scale_settles_the_level_follows_anomalous_errors_too_and_forgets_sooner() -> None:
    rules = replace(MOVING, provisional_shift_limit=5.0, level_memory_count=1000.0)
    header = headers(rules)
    count = 600
    settling = replace(readings_of([4.0] * count, list(range(0, 10 * count, 10))), settling=np.ones(count, np.bool_))

    decisions = decided(header, settling, rules)

    statuses = [status for _, status in transitions(decisions)]
    assert (statuses[0], statuses[-1]) == ("opened", "closed")
    assert level(header) == pytest.approx((3.0, 128.0), abs=0.2)


def test_each_member_has_a_level_of_its_own() -> None:
    rules = replace(MOVING, tails=straight_tails(2), weights=np.array([0.5, 0.5]), starts=np.zeros((1, 2)))
    header = headers(rules)

    decided(header, readings_with(np.array([[0.5, -0.5]], np.float32), [0]), rules)

    assert header["shift"][:, :2].tolist() == [pytest.approx([0.1, -0.1])]


def test_a_surprise_is_measured_from_the_level_before_its_own_reading() -> None:
    decisions = decided(headers(MOVING), readings_of([1.5, 1.0], [0, 10]), MOVING)

    assert decisions.surprises[:, 0] == pytest.approx([1.5, 0.9])


def test_one_reading_moves_the_level_no_more_than_by_the_step_limit() -> None:
    header = headers(MOVING)

    decided(header, readings_of([-12.0], [0]), MOVING)  # 13 below the level, counted as 1

    assert level(header) == pytest.approx((-1 / 5, 5.0))


def test_the_level_forgets_beyond_its_memory() -> None:
    header = headers(MOVING)

    decided(header, readings_of([1.0] * 20, list(range(20))), MOVING)

    assert level(header) == (0.0, 8.0)


@pytest.mark.parametrize(("row", "farthest"), [(UNKNOWN, 0.5), (0, 0.25)])
def test_the_level_stays_within_a_band_around_where_it_started(row: int, farthest: float) -> None:
    rules = replace(MOVING, starts=np.zeros((2, 1)), start_counts=np.array([4.0, 4.0]))
    rows = np.array([row], np.int32)
    header = headers(rules, rows)

    decide(header, rows, readings_of([0.0] * 200, list(range(200))), rules)
    assert level(header)[0] == -farthest

    creeping = [1.4] * 100 + [1.9] * 100  # anything but anomalous
    assert not decide(header, rows, readings_of(creeping, list(range(200, 400))), rules).anomalous.any()
    assert level(header)[0] == farthest


def test_anomalous_readings_and_open_incidents_leave_the_level_alone() -> None:
    header = headers(MOVING)

    decided(header, readings_of([3, 1.5, 1.5], [0, 10, 60]), MOVING)  # the last one closes the incident

    assert level(header) == (0.0, 4.0)


def test_an_incident_that_is_accepted_leaves_the_level_alone_until_the_next_reading() -> None:
    rules = replace(MOVING, memory_share=0.5, accept_ms=20)
    header = headers(rules)

    decided(header, readings_of([5, 5, 5], [0, 10, 20]), rules)
    assert level(header) == (0.0, 4.0)

    decided(header, readings_of([5], [30]), rules)
    assert level(header) == pytest.approx((1 / 5, 5.0))  # 4 above the level, counted as 1


def test_readings_without_a_score_leave_the_level_alone() -> None:
    header = headers(MOVING)

    decided(header, readings_of([NAN, 1.5], [0, 10], wanted=[True, False]), MOVING)

    assert level(header) == (0.0, 4.0)


# -- where sensors start


def test_a_sensor_starts_from_its_own_row_of_the_table_and_an_unknown_one_from_the_last() -> None:
    rules = replace(
        RULES, starts=np.array([[3.0], [4.0], [5.0]]), start_counts=np.array([12.0, 6.0, 4.0]), level_memory_count=10.0
    )
    rows = np.array([1, UNKNOWN, 0], np.int32)
    header = headers(rules, rows)
    readings = replace(
        readings_with(np.full((3, 1), 5.0, np.float32), [0, 10, 20]), groups=np.arange(3), ranks=np.zeros(3, int)
    )

    decisions = decide(header.copy(), rows, readings, rules)

    assert header["level_count"].tolist() == [6.0, 4.0, 10.0]  # 12, but not more than the memory
    assert header["memory"].tolist() == [1.0] * 3
    assert decisions.surprises[:, 0].tolist() == [2.0, 1.0, 3.0]


def test_another_models_levels_are_replaced_and_own_ones_kept() -> None:
    rules = replace(MOVING, memory_share=0.5, accept_ms=20)
    header = headers(rules)
    decided(header, readings_of([5, 5, 5, 5], [0, 10, 20, 30]), rules)
    own = header.tobytes()
    assert header["accepted"][0] > 0.0

    reset_for_model(header, unknown(1), rules)
    assert header.tobytes() == own

    reset_for_model(header, unknown(1), replace(rules, model_tag=8, typical=0.5))
    assert [header[name][0] for name in ("model", "level_count", "memory", "accepted")] == [8, 4.0, 0.5, 0.0]
    assert level(header) == (0.0, 4.0)


def test_an_incident_stays_open_under_another_model() -> None:
    header = headers()
    decided(header, readings_of([3.0], [0]))
    other = replace(RULES, model_tag=8)

    reset_for_model(header, unknown(1), other)

    assert transitions(decided(header, readings_of([1.0], [60], first_offset=1), other)) == [(0, "closed")]
