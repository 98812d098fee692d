"""Decisions: incidents and levels worked out by hand, and that no cut of the readings changes them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.calibration import SCORE_OFFSET, Calibration, SensorLevel
from stream_detector.decision import DecisionRules, Decisions, ScoredReadings, decide
from stream_detector.state import Records, new_records

NAN = math.nan
#: Anomalous from a score of 2 on, with the level at a score of 1 (SCORE_OFFSET aside) that does not move.
RULES = DecisionRules(
    margin=math.log(2.0),
    pooled_level=0.0,
    prior_count=4.0,
    sensors={},
    update_ms=100,
    quiet_ms=50,
    model_tag=7,
    level_shift_limit=0.0,
)


def headers(rules: DecisionRules = RULES, sensors: tuple[str, ...] = ("s",)) -> Records:
    """Return the headers of sensors that were never seen."""
    header = new_records(len(sensors), 2, 1)["header"].copy()
    rules.start_levels(header, list(sensors))
    return header


def readings_of(
    scores: list[float],
    times_ms: list[int],
    *,
    first_offset: int = 0,
    wanted: list[bool] | None = None,
    scorable: list[bool] | None = None,
) -> ScoredReadings:
    """Return readings of one sensor."""
    count = len(scores)
    return ScoredReadings(
        groups=np.zeros(count, np.int64),
        ranks=np.arange(count),
        times_ms=np.array(times_ms, np.int64),
        offsets=np.arange(first_offset, first_offset + count),
        scores=np.array(scores, np.float32),
        wanted=np.array(wanted if wanted is not None else [True] * count),
        scorable=np.array(scorable if scorable is not None else [True] * count),
    )


def transitions(decisions: Decisions) -> list[tuple[int, str]]:
    return [(transition.position, transition.status) for transition in decisions.transitions]


# -- incidents


def test_the_first_anomalous_reading_opens_an_incident_and_those_that_follow_do_not() -> None:
    decisions = decide(headers(), readings_of([1, 3, 3, 3], [0, 10, 20, 30]), RULES)

    assert transitions(decisions) == [(1, "opened")]
    assert decisions.anomalous.tolist() == [False, True, True, True]


def test_only_a_score_above_the_threshold_is_anomalous() -> None:
    threshold = 2.0 - SCORE_OFFSET  # exp(level + margin) less what was added before the logarithm

    decisions = decide(headers(), readings_of([threshold - 5e-7, threshold + 5e-7], [0, 10]), RULES)

    assert decisions.thresholds == pytest.approx([threshold] * 2, abs=1e-12)
    assert decisions.anomalous.tolist() == [False, True]


def test_an_incident_is_updated_when_so_much_event_time_has_passed_since_the_last_event() -> None:
    times_ms = [0, 40, 80, 99, 100, 140, 199, 200]

    decisions = decide(headers(), readings_of([3.0] * 8, times_ms), RULES)

    assert transitions(decisions) == [(0, "opened"), (4, "updated"), (7, "updated")]


def test_an_update_is_counted_from_the_last_update_not_from_the_opening() -> None:
    decisions = decide(headers(), readings_of([3.0] * 5, [0, 40, 130, 200, 230]), replace(RULES, quiet_ms=1000))

    assert transitions(decisions) == [(0, "opened"), (2, "updated"), (4, "updated")]


def test_an_incident_is_closed_by_the_first_normal_reading_after_the_quiet_spell() -> None:
    decisions = decide(headers(), readings_of([3, 1, 1, 1, 1], [0, 20, 49, 50, 60]), RULES)

    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_an_anomalous_reading_ends_the_quiet_spell() -> None:
    decisions = decide(headers(), readings_of([3, 1, 3, 1, 1], [0, 40, 45, 90, 95]), RULES)

    assert transitions(decisions) == [(0, "opened"), (4, "closed")]  # 50 ms after 45


def test_an_anomalous_reading_after_a_long_silence_continues_the_incident() -> None:
    decisions = decide(headers(), readings_of([3, 3], [0, 1000]), RULES)

    assert transitions(decisions) == [(0, "opened"), (1, "updated")]


def test_an_incident_can_be_closed_by_a_reading_that_has_no_score() -> None:
    decisions = decide(headers(), readings_of([3, NAN], [0, 60], scorable=[True, False]), RULES)

    assert transitions(decisions) == [(0, "opened"), (1, "closed")]
    assert decisions.needed.tolist() == [True, False]


def test_after_closing_the_next_anomalous_reading_opens_another_incident() -> None:
    decisions = decide(headers(), readings_of([3, 1, 3], [0, 60, 70], first_offset=500), RULES)

    assert [(t.status, t.incident_offset, t.opened_ms) for t in decisions.transitions] == [
        ("opened", 500, 0),
        ("closed", 500, 0),
        ("opened", 502, 70),
    ]


def test_every_event_tells_the_incidents_peak_so_far() -> None:
    decisions = decide(headers(), readings_of([3, 9, 4, 1], [0, 50, 100, 150]), RULES)

    assert [(t.status, t.peak_score) for t in decisions.transitions] == [("opened", 3.0), ("updated", 9.0), ("closed", 9.0)]


def test_the_peak_of_an_incident_does_not_outlive_it() -> None:
    decisions = decide(headers(), readings_of([9, 1, 3], [0, 60, 70]), RULES)

    assert [t.peak_score for t in decisions.transitions] == [9.0, 9.0, 3.0]


# -- which scores are used


def test_scores_between_strides_are_not_used() -> None:
    decisions = decide(headers(), readings_of([3, 3], [0, 10], wanted=[False, True]), RULES)

    assert transitions(decisions) == [(1, "opened")]
    assert decisions.needed.tolist() == [False, True]


def test_every_score_is_used_while_an_incident_is_open() -> None:
    decisions = decide(headers(), readings_of([3, 3, 1, 1, 3], [0, 10, 20, 60, 70], wanted=[True] + [False] * 4), RULES)

    assert decisions.needed.tolist() == [True, True, True, True, False]  # closed at 60 ms
    assert transitions(decisions) == [(0, "opened"), (3, "closed")]


def test_scores_of_windows_that_are_not_full_are_not_used() -> None:
    header = headers()

    decisions = decide(header, readings_of([9, 9], [0, 10], scorable=[False, False]), RULES)

    assert transitions(decisions) == []
    assert header.tobytes() == headers().tobytes()


def test_no_readings_are_no_decisions() -> None:
    decisions = decide(headers(), readings_of([], []), RULES)

    assert (len(decisions.thresholds), decisions.transitions) == (0, [])


# -- levels

MOVING = replace(RULES, level_shift_limit=0.7, level_memory_count=8.0)


def level(header: Records) -> tuple[float, float]:
    return float(header["level_mean"][0]), float(header["level_count"][0])


def test_the_level_is_the_running_mean_of_normal_log_scores() -> None:
    header = headers(MOVING)  # level 0, weighs 4

    decide(header, readings_of([math.exp(0.5), math.exp(-0.6)], [0, 10]), MOVING)

    # (0 * 4 + 0.5) / 5 = 0.1; (0.1 * 5 - 0.6) / 6 = -1/60
    assert level(header) == pytest.approx((-1 / 60, 6.0), abs=1e-5)


def test_a_threshold_is_that_of_before_its_own_reading() -> None:
    decisions = decide(headers(MOVING), readings_of([math.exp(0.5), 1.0], [0, 10]), MOVING)

    assert decisions.thresholds == pytest.approx([2.0, 2.0 * math.exp(0.1)], rel=1e-5)


def test_one_reading_moves_the_level_no_more_than_by_the_step_limit() -> None:
    header = headers(MOVING)

    decide(header, readings_of([0.0], [0]), MOVING)  # its log is -13.8, counted as -1

    assert level(header) == pytest.approx((-1 / 5, 5.0), abs=1e-9)


def test_the_level_forgets_beyond_its_memory() -> None:
    header = headers(MOVING)

    decide(header, readings_of([1.0] * 20, list(range(20))), MOVING)

    assert header["level_count"][0] == 8.0


def test_the_level_stays_within_a_band_around_where_it_started() -> None:
    header = headers(MOVING)

    decide(header, readings_of([0.01] * 200, list(range(200))), MOVING)
    assert level(header)[0] == pytest.approx(-0.7, abs=1e-12)

    creeping = [1.9 * math.exp(-0.7)] * 50 + [1.2] * 100 + [1.9] * 500
    decide(header, readings_of(creeping, list(range(200, 850))), MOVING)
    assert level(header)[0] <= 0.7 + 1e-12


def test_anomalous_readings_and_open_incidents_leave_the_level_alone() -> None:
    header = headers(MOVING)

    decide(header, readings_of([3, 1.5, 1.5], [0, 10, 60]), MOVING)  # the last one closes the incident

    assert level(header) == (0.0, 4.0)


def test_readings_without_a_score_leave_the_level_alone() -> None:
    header = headers(MOVING)

    decide(header, readings_of([NAN, NAN], [0, 10], wanted=[True, False]), MOVING)

    assert level(header) == (0.0, 4.0)


def test_a_sensor_starts_between_its_calibrated_level_and_the_fleets() -> None:
    rules = replace(RULES, pooled_level=1.0, sensors={"known": SensorLevel(mean=4.0, count=8.0)}, level_memory_count=10.0)
    header = new_records(2, 2, 1)["header"].copy()

    known = rules.start_levels(header, ["known", "new"])

    assert known.tolist() == [True, False]
    assert header["level_start"] == pytest.approx([3.0, 1.0])  # (4 * 8 + 1 * 4) / 12
    assert header["level_mean"].tolist() == header["level_start"].tolist()
    assert header["level_count"].tolist() == [10.0, 4.0]  # 12, but not more than the memory


def test_another_models_level_is_replaced_and_an_own_one_kept() -> None:
    header = headers(MOVING)
    decide(header, readings_of([1.5], [0]), MOVING)
    moved = level(header)

    MOVING.start_levels(header, ["s"])
    assert level(header) == moved

    replace(MOVING, model_tag=8, pooled_level=-1.0).start_levels(header, ["s"])
    assert level(header) == (-1.0, 4.0)


def test_a_sensor_is_ready_when_calibrated_or_when_as_many_readings_as_the_prior_were_seen() -> None:
    ready = RULES.is_ready(np.array([True, False, False]), np.array([4.0, 7.0, 8.0]))

    assert ready.tolist() == [True, False, True]


def test_rules_take_margin_and_levels_from_the_calibration() -> None:
    calibration = Calibration(
        tail_start=1.0,
        tail_rate=0.01,
        tail_scale=0.5,
        tail_shape=0.0,
        pooled_level=-2.0,
        readings=1000,
        prior_count=9.0,
        sensors={"s": SensorLevel(0.0, 1.0)},
    )

    rules = DecisionRules.of(calibration, 0.001, update_ms=10, quiet_ms=20, model_tag=3)

    assert rules.margin == pytest.approx(1.0 + 0.5 * math.log(10))
    assert (rules.pooled_level, rules.prior_count, rules.sensors) == (-2.0, 9.0, calibration.sensors)
    assert (rules.update_ms, rules.quiet_ms, rules.model_tag) == (10, 20, 3)


# -- any cut


@dataclass(frozen=True, slots=True)
class Reading:
    sensor: int
    score: float
    step_ms: int
    wanted: bool
    scorable: bool


_readings = st.lists(
    st.builds(
        Reading,
        sensor=st.integers(0, 2),
        score=st.sampled_from([0.0, 0.5, 1.0, 1.9, 2.1, 5.0, NAN]),
        step_ms=st.sampled_from([1, 10, 30, 60, 120]),
        wanted=st.booleans(),
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
        scores=np.array([readings[place].score for place in order], np.float32),
        wanted=np.array([readings[place].wanted for place in order], np.bool_),
        scorable=np.array([readings[place].scorable for place in order], np.bool_),
    )


def outcomes(readings: list[Reading], bounds: list[int]) -> tuple[bytes, list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return the final headers, and what was decided by offset."""
    header = headers(MOVING, ("x", "y", "z"))
    events, decided = [], []
    for first, stop in itertools.pairwise(bounds):
        batch = grouped(readings, first, stop)
        result = decide(header, batch, MOVING)
        for event in result.transitions:
            offset = int(batch.offsets[event.position])
            events.append((offset, event.status, event.incident_offset, event.opened_ms, event.peak_score))
        columns = (batch.offsets, result.thresholds, result.anomalous, result.level_counts, result.needed)
        decided += list(zip(*(column.tolist() for column in columns), strict=True))
    return header.tobytes(), sorted(events), sorted(decided)


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
        for offset, status, incident_offset, *_ in events:
            if readings[int(str(offset))].sensor != sensor:
                continue
            assert is_open == (status != "opened")
            assert (incident_offset == offset) == (status == "opened")
            is_open = status != "closed"
