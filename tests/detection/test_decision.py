"""Decisions: surprises, memory, levels and incidents worked out by hand, and that no cut of the readings changes them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.decision import Decisions, ScoredReadings, decide, reset_for_model
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.readings import Float32Array, Int32Array
from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from stream_detector.state.record_layout import Records, new_records

NAN = math.nan


def straight_tails(members: int) -> Tails:
    """Return tails by which an error is a surprise of 1 at its level, 1 more for each 1 above it, and 0 from 1 below it."""
    return Tails(np.array([[-1.0, 0.0]] * members), np.array([0.0, 1.0]), np.ones(members))


#: One member with its level at 0, which does not move. A surprise above 2 is anomalous. The memory stays at the typical 1,
#: so a score is the mean of the surprise and 1.
RULES = DecisionRules(
    margin=1.0,
    typical=1.0,
    tails=straight_tails(1),
    weights=np.ones(1),
    starts=np.zeros((1, 1)),
    start_counts=np.array([4.0]),
    update_ms=100,
    quiet_ms=50,
    accept_ms=100_000,
    model_tag=7,
    level_shift_limit=0.0,
    provisional_shift_limit=0.0,
    memory_share=0.0,
)


def unknown(sensors: int) -> Int32Array:
    """Return the rows of sensors that the model does not know."""
    return np.full(sensors, UNKNOWN, np.int32)


def headers(rules: DecisionRules = RULES, table_rows: Int32Array | None = None) -> Records:
    """Return the headers of sensors that were never seen; of one that the model does not know unless told otherwise."""
    rows = unknown(1) if table_rows is None else table_rows
    header = new_records(len(rows), 2, 1, len(rules.weights))["header"].copy()
    reset_for_model(header, rows, rules)
    return header


def readings_of(
    surprises: list[float],
    times_ms: list[int],
    *,
    first_offset: int = 0,
    wanted: list[bool] | None = None,
    scorable: list[bool] | None = None,
) -> ScoredReadings:
    """Return readings of one sensor whose one error is so surprising while its level is at 0."""
    readings = readings_with(np.array(surprises, np.float32).reshape(-1, 1) - 1, times_ms, first_offset)
    return replace(
        readings,
        wanted=readings.wanted if wanted is None else np.array(wanted),
        scorable=readings.scorable if scorable is None else np.array(scorable),
    )


def readings_with(errors: Float32Array, times_ms: list[int], first_offset: int = 0) -> ScoredReadings:
    """Return readings of one sensor with these errors [N, M]."""
    count = len(errors)
    return ScoredReadings(
        groups=np.zeros(count, np.int64),
        ranks=np.arange(count),
        times_ms=np.array(times_ms, np.int64),
        offsets=np.arange(first_offset, first_offset + count),
        errors=errors,
        wanted=np.ones(count, np.bool_),
        scorable=np.ones(count, np.bool_),
    )


def decided(header: Records, readings: ScoredReadings, rules: DecisionRules = RULES) -> Decisions:
    """Decide on readings of one sensor that the model does not know."""
    return decide(header, unknown(1), readings, rules)


def transitions(decisions: Decisions) -> list[tuple[int, str]]:
    return [(transition.position, transition.status) for transition in decisions.transitions]


# -- surprise, score and threshold


def test_the_surprise_is_the_weighted_mean_of_the_members_above_the_sensors_own_levels() -> None:
    """Member a is a surprise of 1 more for each 0.5 beyond 1 above its level, member b for each 2 beyond 2."""
    tails = Tails(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([1.0, 3.0]), np.array([0.5, 2.0]))
    rules = replace(
        RULES, tails=tails, weights=np.array([0.75, 0.25]), starts=np.array([[5.0, 50.0], [0.0, 0.0]]), start_counts=np.ones(2)
    )
    row = np.zeros(1, np.int32)
    readings = readings_with(np.array([[5.0, 50.0], [5.5, 51.5], [6.5, 56.0]], np.float32), [0, 10, 20])

    decisions = decide(headers(rules, row), row, readings, rules)

    # Both at their levels: 1 and 1. Then 1 + 2 * 0.5 and 1 + 2 * 0.75, then 3 + 0.5 / 0.5 and 3 + 4 / 2.
    assert decisions.surprises.tolist() == [[0.75, 0.25], [0.75 * 2.0, 0.25 * 2.5], [0.75 * 4.0, 0.25 * 5.0]]
    assert decisions.scores.tolist() == [1.0, (2.125 + 1) / 2, (4.25 + 1) / 2]
    assert decisions.anomalous.tolist() == [False, True, True]


def test_a_member_without_weight_has_no_part_in_the_surprise() -> None:
    rules = replace(RULES, tails=straight_tails(2), weights=np.array([1.0, 0.0]), starts=np.zeros((1, 2)))

    decisions = decided(headers(rules), readings_with(np.array([[0.5, 1e6]], np.float32), [0]), rules)

    assert decisions.surprises.tolist() == [[1.5, 0.0]]
    assert decisions.anomalous.tolist() == [False]


def test_only_a_score_above_the_threshold_is_anomalous() -> None:
    decisions = decided(headers(), readings_of([2.0, 2.0 + 5e-7], [0, 10]))

    assert decisions.thresholds.tolist() == [1.5, 1.5]  # the limit of 2 and the memory's 1
    assert decisions.anomalous.tolist() == [False, True]


#: A quarter of each new surprise is remembered.
REMEMBERING = replace(RULES, memory_share=0.25)


def test_score_and_threshold_are_means_with_the_running_mean_of_the_surprise() -> None:
    header = headers(REMEMBERING)

    decisions = decided(header, readings_of([5.0, 0.0, 2.0], [0, 10, 20]), REMEMBERING)

    # The memory is 1 + (5 - 1) / 4 = 2, then 2 - 2 / 4 = 1.5, then 1.5 + 0.5 / 4 = 1.625; the limit is 2.
    assert decisions.scores.tolist() == [3.5, 0.75, 1.8125]
    assert decisions.thresholds.tolist() == [2.0, 1.75, 1.8125]
    assert decisions.anomalous.tolist() == [True, False, False]
    assert header["memory"].tolist() == [1.625]


def test_a_reading_without_a_score_is_not_remembered() -> None:
    header = headers(REMEMBERING)

    decisions = decided(header, readings_of([NAN, 9.0, 5.0], [0, 10, 20], wanted=[True, False, True]), REMEMBERING)

    assert header["memory"].tolist() == [2.0]
    assert np.isnan(decisions.scores).tolist() == [True, True, False]
    assert decisions.anomalous.tolist() == [False, False, True]


# -- incidents


def test_the_first_anomalous_reading_opens_an_incident_and_those_that_follow_do_not() -> None:
    decisions = decided(headers(), readings_of([1, 3, 3, 3], [0, 10, 20, 30]))

    assert transitions(decisions) == [(1, "opened")]
    assert decisions.anomalous.tolist() == [False, True, True, True]


def test_an_incident_is_updated_when_so_much_event_time_has_passed_since_the_last_event() -> None:
    times_ms = [0, 40, 80, 99, 100, 140, 199, 200]

    decisions = decided(headers(), readings_of([3.0] * 8, times_ms))

    assert transitions(decisions) == [(0, "opened"), (4, "updated"), (7, "updated")]


def test_an_update_is_counted_from_the_last_update_not_from_the_opening() -> None:
    decisions = decided(headers(), readings_of([3.0] * 5, [0, 40, 130, 200, 230]), replace(RULES, quiet_ms=1000))

    assert transitions(decisions) == [(0, "opened"), (2, "updated"), (4, "updated")]


def test_an_incident_is_closed_by_the_first_normal_reading_after_the_quiet_spell() -> None:
    decisions = decided(headers(), readings_of([3, 1, 1, 1, 1], [0, 20, 49, 50, 60]))

    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_an_anomalous_reading_ends_the_quiet_spell() -> None:
    decisions = decided(headers(), readings_of([3, 1, 3, 1, 1], [0, 40, 45, 90, 95]))

    assert transitions(decisions) == [(0, "opened"), (4, "closed")]  # 50 ms after 45


def test_an_anomalous_reading_after_a_long_silence_continues_the_incident() -> None:
    decisions = decided(headers(), readings_of([3, 3], [0, 1000]))

    assert transitions(decisions) == [(0, "opened"), (1, "updated")]


def test_an_incident_can_be_closed_by_a_reading_that_has_no_score() -> None:
    decisions = decided(headers(), readings_of([3, NAN], [0, 60], scorable=[True, False]))

    assert transitions(decisions) == [(0, "opened"), (1, "closed")]
    assert decisions.needed.tolist() == [True, False]


def test_after_closing_the_next_anomalous_reading_opens_another_incident() -> None:
    decisions = decided(headers(), readings_of([3, 1, 3], [0, 60, 70], first_offset=500))

    assert [(t.status, t.incident_offset, t.opened_ms) for t in decisions.transitions] == [
        ("opened", 500, 0),
        ("closed", 500, 0),
        ("opened", 502, 70),
    ]


@pytest.mark.parametrize("accept_ms", [10_000, 50], ids=["closed", "accepted"])
def test_nothing_is_left_of_an_incident_that_is_over(accept_ms: int) -> None:
    header, new = headers(), headers()

    decisions = decided(header, readings_of([3, 3, 1], [0, 50, 100]), replace(RULES, accept_ms=accept_ms))

    assert transitions(decisions)[-1][1] == "closed"
    fields = ("incident_offset", "incident_time_ms", "incident_peak", "last_anomalous_ms", "last_update_ms")
    assert all(header[name] == new[name] for name in fields)


def test_every_event_tells_the_incidents_peak_so_far() -> None:
    decisions = decided(headers(), readings_of([3, 9, 4, 1], [0, 50, 100, 150]))

    assert [(t.status, t.peak_score) for t in decisions.transitions] == [("opened", 2.0), ("updated", 5.0), ("closed", 5.0)]


def test_the_peak_of_an_incident_does_not_outlive_it() -> None:
    decisions = decided(headers(), readings_of([9, 1, 3], [0, 60, 70]))

    assert [t.peak_score for t in decisions.transitions] == [5.0, 5.0, 2.0]


# -- which errors are used


def test_errors_between_strides_are_not_used() -> None:
    decisions = decided(headers(), readings_of([3, 3], [0, 10], wanted=[False, True]))

    assert transitions(decisions) == [(1, "opened")]
    assert decisions.needed.tolist() == [False, True]


def test_every_error_is_used_while_an_incident_is_open() -> None:
    decisions = decided(headers(), readings_of([3, 3, 1, 1, 3], [0, 10, 20, 60, 70], wanted=[True] + [False] * 4))

    assert decisions.needed.tolist() == [True, True, True, True, False]  # closed at 60 ms
    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_errors_of_windows_that_are_not_full_are_not_used() -> None:
    header = headers()

    decisions = decided(header, readings_of([9, 9], [0, 10], scorable=[False, False]))

    assert transitions(decisions) == []
    assert header.tobytes() == headers().tobytes()


def test_no_readings_are_no_decisions() -> None:
    decisions = decided(headers(), readings_of([], []))

    assert (len(decisions.thresholds), decisions.transitions) == (0, [])


# -- what lasts is accepted

#: Half of each new surprise is remembered; an incident of 20 ms is taken for a new normal state.
ACCEPTING = replace(RULES, memory_share=0.5, accept_ms=20)


def test_an_incident_that_lasts_is_closed_as_accepted_and_what_the_memory_holds_is_normal_from_then_on() -> None:
    header = headers(ACCEPTING)

    decisions = decided(header, readings_of([5.0] * 4, [0, 10, 20, 30]), ACCEPTING)

    # The memory is 3, 4, 4.5: the limit of 2 is raised by 4.5 - 1 to 5.5 from the fourth reading on.
    assert [(t.position, t.status, t.incident_offset, t.is_accepted) for t in decisions.transitions] == [
        (0, "opened", 0, False),
        (2, "closed", 0, True),
    ]
    assert decisions.anomalous.tolist() == [True, True, True, False]
    assert decisions.thresholds[2:].tolist() == [(2.0 + 4.5) / 2, (5.5 + 4.75) / 2]
    assert header["accepted"].tolist() == [3.5]  # the memory goes on to 4.75, but no more than was accepted is


def test_what_was_accepted_is_released_as_the_surprise_falls() -> None:
    header = headers(ACCEPTING)

    decisions = decided(header, readings_of([5, 5, 5, 1, 1, 5], [0, 10, 20, 30, 40, 50]), ACCEPTING)

    # Memory 4.5, 2.75, 1.875, so 3.5, 1.75, 0.875 are accepted: 5 is above 2.875, and opens another incident.
    assert transitions(decisions) == [(0, "opened"), (2, "closed"), (5, "opened")]
    assert decisions.thresholds[5] == (2.875 + 3.4375) / 2
    assert header["accepted"].tolist() == [0.875]


def test_what_is_worse_than_was_accepted_opens_another_incident() -> None:
    decisions = decided(headers(ACCEPTING), readings_of([5, 5, 5, 6], [0, 10, 20, 30]), ACCEPTING)

    assert [(t.position, t.status, t.incident_offset) for t in decisions.transitions][2:] == [(3, "opened", 3)]


def test_an_incident_is_accepted_by_an_anomalous_reading_only() -> None:
    decisions = decided(headers(ACCEPTING), readings_of([5, 1, 5, 1], [0, 30, 31, 90]), ACCEPTING)

    assert [(t.position, t.status, t.is_accepted) for t in decisions.transitions] == [
        (0, "opened", False),
        (2, "closed", True),
    ]
    ended = decided(headers(ACCEPTING), readings_of([5, 1], [0, 50]), ACCEPTING)
    assert [(t.status, t.is_accepted) for t in ended.transitions] == [("opened", False), ("closed", False)]


def test_the_reading_that_has_an_incident_accepted_does_not_update_it() -> None:
    rules = replace(ACCEPTING, update_ms=20)

    assert transitions(decided(headers(rules), readings_of([5, 5, 5], [0, 10, 20]), rules)) == [(0, "opened"), (2, "closed")]


# -- levels

#: The level of a sensor that the model does not know may move by 0.5, of another by 0.25; it forgets beyond 8 readings.
MOVING = replace(RULES, level_shift_limit=0.25, provisional_shift_limit=0.5, level_memory_count=8.0)


def level(header: Records) -> tuple[float, float]:
    """Return how far the first member's level has moved, and how many readings are behind it."""
    return float(header["shift"][0, 0]), float(header["level_count"][0])


def test_the_level_is_the_running_mean_of_normal_errors() -> None:
    header = headers(MOVING)  # level 0, weighs 4

    decided(header, readings_of([1.5, 0.4], [0, 10]), MOVING)

    # (0 * 4 + 0.5) / 5 = 0.1; (0.1 * 5 - 0.6) / 6 = -1/60
    assert level(header) == pytest.approx((-1 / 60, 6.0), abs=1e-7)


def test_each_member_has_a_level_of_its_own() -> None:
    rules = replace(MOVING, tails=straight_tails(2), weights=np.array([0.5, 0.5]), starts=np.zeros((1, 2)))
    header = headers(rules)

    decided(header, readings_with(np.array([[0.5, -0.5]], np.float32), [0]), rules)

    assert header["shift"].tolist() == [pytest.approx([0.1, -0.1])]


def test_a_surprise_is_above_the_level_of_before_its_own_reading() -> None:
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


def test_a_sensor_is_ready_when_the_model_knows_it_or_when_enough_readings_were_seen() -> None:
    rows, counts = np.array([0, UNKNOWN, UNKNOWN, UNKNOWN], np.int32), np.array([4.0, 7.0, 8.0, 8.0])
    learned = np.array([False, True, True, False])
    ready = [True, False, True, False]  # known; too few readings behind the level; enough; its scale is still learned

    assert replace(RULES, ready_count=8.0).is_ready(rows, counts, learned).tolist() == ready
    assert replace(RULES, ready_count=99.0, level_memory_count=8.0).is_ready(rows, counts, learned).tolist() == ready


def test_rules_take_margin_tails_and_levels_from_the_calibration() -> None:
    calibration = Calibration(
        members=("a", "b"),
        weights=np.array([0.25, 0.75]),
        tails=straight_tails(2),
        pooled_level=np.array([-2.0, 2.0]),
        typical=1.5,
        tail_start=1.0,
        tail_rate=0.01,
        tail_scale=0.5,
        tail_shape=0.0,
        readings=1000,
        sensors=SensorTable(
            {"s": 0}, np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32), np.zeros((1, 2)), np.array([3.0])
        ),
        prior_count=9.0,
    )

    rules = DecisionRules.of(calibration, 0.001, update_ms=10, quiet_ms=20, accept_ms=30, model_tag=3)

    assert rules.margin == pytest.approx(1.0 + 0.5 * math.log(10))
    assert rules.typical == 1.5
    assert rules.weights.tolist() == [0.25, 0.75]
    assert rules.tails is calibration.tails
    assert rules.starts.tolist() == [[-1.5, 1.5], [-2.0, 2.0]]  # nothing of its own 3 readings, to 9 of the fleet's
    assert rules.start_counts.tolist() == [2000.0, 9.0]
    assert (rules.update_ms, rules.quiet_ms, rules.accept_ms, rules.model_tag) == (10, 20, 30, 3)


# -- any readings, any cut

#: Three members, three sensors: two that the model knows, and one that it does not.
ROWS = np.array([0, 1, UNKNOWN], np.int32)
ANY = replace(
    RULES,
    tails=Tails(
        np.array([[-1.0, 0.0, 1.0], [-2.0, 0.1, 0.7], [-0.3, 0.2, 0.3]]), np.array([0.0, 0.7, 2.3]), np.array([0.3, 0.7, 1.1])
    ),
    weights=np.array([0.5, 0.3, 0.2]),
    starts=np.array([[0.1, -0.1, 0.0], [0.3, 0.2, 0.1], [0.0, 0.0, 0.0]]),
    start_counts=np.array([6.0, 5.0, 4.0]),
    accept_ms=100,
    level_shift_limit=0.25,
    provisional_shift_limit=0.5,
    level_memory_count=8.0,
    memory_share=0.25,
)


@dataclass(frozen=True, slots=True)
class Reading:
    sensor: int
    errors: tuple[float, float, float]
    step_ms: int
    wanted: bool
    scorable: bool


_error = st.sampled_from([-3.0, -0.5, 0.0, 0.1, 0.6, 1.3, 4.0])
_readings = st.lists(
    st.builds(
        Reading,
        sensor=st.integers(0, 2),
        errors=st.one_of(st.just((NAN, NAN, NAN)), *[st.tuples(_error, _error, _error)] * 6),
        step_ms=st.sampled_from([1, 10, 30, 60, 120]),
        wanted=st.sampled_from([True, True, False]),
        scorable=st.sampled_from([True, True, True, False]),
    ),
    max_size=50,
)


def grouped(readings: list[Reading], first: int, stop: int) -> ScoredReadings:
    """Return readings of three sensors as `append` groups them: by sensor, then in log order."""
    order = sorted(range(first, stop), key=lambda place: (readings[place].sensor, place))
    times_ms = np.cumsum([reading.step_ms for reading in readings], dtype=np.int64)
    ranks = [sum(readings[earlier].sensor == readings[place].sensor for earlier in range(first, place)) for place in order]
    return ScoredReadings(
        groups=np.array([readings[place].sensor for place in order], np.int64),
        ranks=np.array(ranks, np.int64),
        times_ms=times_ms[order],
        offsets=np.array(order, np.int64),
        errors=np.array([readings[place].errors for place in order], np.float32).reshape(len(order), 3),
        wanted=np.array([readings[place].wanted for place in order], np.bool_),
        scorable=np.array([readings[place].scorable for place in order], np.bool_),
    )


def outcomes(readings: list[Reading], bounds: list[int]) -> tuple[bytes, list[tuple[object, ...]], dict[int, bytes]]:
    """Return the final headers, the incidents' changes, and the bits of what was decided, by offset."""
    header = headers(ANY, ROWS)
    events = []
    found: dict[int, bytes] = {}
    for first, stop in itertools.pairwise(bounds):
        batch = grouped(readings, first, stop)
        result = decide(header, ROWS, batch, ANY)
        for event in result.transitions:
            offset = int(batch.offsets[event.position])
            events.append((offset, event.status, event.incident_offset, event.opened_ms, event.peak_score, event.is_accepted))
        singles = (result.scores, result.thresholds, result.anomalous, result.level_counts, result.needed)
        columns = np.column_stack([*singles, result.surprises])
        found |= {int(offset): row.tobytes() for offset, row in zip(batch.offsets, columns, strict=True)}
    return header.tobytes(), sorted(events), found


@settings(deadline=None)
@given(readings=_readings, data=st.data())
def test_any_cut_into_batches_decides_the_same(readings: list[Reading], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=6).map(sorted))

    assert outcomes(readings, [0, *cuts, len(readings)]) == outcomes(readings, list(range(len(readings) + 1)))


@settings(deadline=None)
@given(readings=_readings)
def test_incidents_of_a_sensor_open_before_they_are_updated_or_closed_and_never_overlap(readings: list[Reading]) -> None:
    _, events, _ = outcomes(readings, [0, len(readings)])

    for sensor in range(3):
        is_open = False
        for offset, status, incident_offset, *_, is_accepted in events:
            if readings[int(str(offset))].sensor != sensor:
                continue
            assert is_open == (status != "opened")
            assert (incident_offset == offset) == (status == "opened")
            assert status == "closed" or not is_accepted
            is_open = status != "closed"


@settings(deadline=None)
@given(readings=_readings)
def test_a_reading_is_anomalous_if_and_only_if_its_score_is_above_its_threshold(readings: list[Reading]) -> None:
    """And then its surprise exceeds what is typical by the margin."""
    decisions = decide(headers(ANY, ROWS), ROWS, grouped(readings, 0, len(readings)), ANY)

    scored = ~np.isnan(decisions.scores)
    assert decisions.anomalous.tolist() == (decisions.scores > decisions.thresholds).tolist()
    assert not decisions.anomalous[~scored].any()
    surprise = decisions.surprises.sum(axis=1)
    assert (surprise[decisions.anomalous] > ANY.typical + ANY.margin).all()
    assert (decisions.surprises[scored] >= 0.0).all()


@settings(deadline=None)
@given(readings=_readings)
def test_the_memory_is_the_running_mean_of_a_sensors_surprises(readings: list[Reading]) -> None:
    header, batch = headers(ANY, ROWS), grouped(readings, 0, len(readings))

    surprises = decide(header, ROWS, batch, ANY).surprises.sum(axis=1)

    for sensor in range(3):
        mine = surprises[(batch.groups == sensor) & ~np.isnan(surprises)]
        ages = np.arange(len(mine), 0, -1) - 1
        expected = 0.75 ** len(mine) * 1.0 + (0.25 * 0.75**ages * mine).sum()
        assert header["memory"][sensor] == pytest.approx(expected)


@settings(deadline=None)
@given(readings=_readings)
def test_levels_never_leave_their_band_and_nothing_negative_is_accepted(readings: list[Reading]) -> None:
    header = headers(ANY, ROWS)

    decide(header, ROWS, grouped(readings, 0, len(readings)), ANY)

    assert (np.abs(header["shift"]).max(axis=1) <= [0.25, 0.25, 0.5]).all()
    assert (header["accepted"] >= 0.0).all()
    assert (header["level_count"] <= 8.0).all()
