"""How often a sensor is read, as a fold over its readings: batches, gaps, bursts, and a rate that changes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.state.pace import Pace, Steps, begin_pace, gap_limit_ms, learn_pace
from stream_detector.state.record_layout import Records, new_records

SECOND_MS = 1000


def headers(*intervals_ms: float) -> Records:
    """Return the headers of sensors with these intervals to begin with."""
    header = new_records(len(intervals_ms), 2, 1, 1)["header"].copy()
    begin_pace(header, np.array(intervals_ms, np.float32), np.zeros(len(intervals_ms), np.float32))
    return header


def learn(header: Records, sensors: list[int], steps_ms: list[int], first: bool = False) -> Pace:
    """Fold steps of sensors in the order of the log; return what was known at each, in the same order."""
    slot = np.array(sensors, np.int32)
    order = np.argsort(slot, kind="stable")
    rank = np.array([sensors[:at].count(sensor) for at, sensor in enumerate(sensors)], np.int64)
    has_step = np.array([not (first and at == 0) for at in rank.tolist()], np.bool_)
    steps = Steps(slot[order], rank[order], np.array(steps_ms, np.int64)[order], np.full(len(slot), -1), has_step[order])
    pace = learn_pace(header, steps, None)
    back = np.argsort(order)
    return replace(pace, interval_ms=pace.interval_ms[back], restarts=pace.restarts[back])


@settings(deadline=None)
@given(
    log=st.lists(
        st.tuples(st.integers(0, 2), st.one_of(st.integers(1, 20_000), st.integers(1, 2**41), st.just(10_000))), max_size=120
    ),
    data=st.data(),
)
def test_the_pace_does_not_depend_on_how_the_log_was_cut(log: list[tuple[int, int]], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=8).map(sorted))
    whole, in_parts = headers(10_000, 1.0, 300_000), headers(10_000, 1.0, 300_000)

    at_once = learn(whole, [sensor for sensor, _ in log], [step for _, step in log])
    parts = [
        learn(in_parts, [sensor for sensor, _ in log[start:stop]], [step for _, step in log[start:stop]])
        for start, stop in itertools.pairwise([0, *cuts, len(log)])
    ]

    assert in_parts.tobytes() == whole.tobytes()
    assert np.concatenate([part.interval_ms for part in parts]).tobytes() == at_once.interval_ms.tobytes()
    assert np.concatenate([part.restarts for part in parts]).tolist() == at_once.restarts.tolist()
    assert np.isfinite(whole["interval_ms"]).all()
    assert (whole["interval_ms"] > 0).all()
    assert (whole["pause_ms"] >= whole["interval_ms"]).all()


def test_a_sensor_of_five_minutes_in_a_model_of_ten_seconds_restarts_its_window_nine_times_only() -> None:
    header = headers(10 * SECOND_MS)

    pace = learn(header, [0] * 40, [300 * SECOND_MS] * 40, first=True)

    assert pace.restarts.tolist() == [False] + [True] * 8 + [False] * 31
    assert header["interval_ms"].tolist() == [300 * SECOND_MS]


def test_a_sensor_that_changes_its_rate_and_changes_it_back_has_windows_at_both() -> None:
    header = headers(10 * SECOND_MS)
    steps = [10 * SECOND_MS] * 100 + [300 * SECOND_MS] * 100 + [10 * SECOND_MS] * 100

    pace = learn(header, [0] * 300, steps)

    assert 8 <= int(pace.restarts.sum()) <= 16  # up to two blocks of readings, once
    assert pace.interval_ms[199] == pytest.approx(300 * SECOND_MS, rel=0.05)
    assert pace.interval_ms[299] == pytest.approx(10 * SECOND_MS, rel=0.2)


def test_bursts_between_long_pauses_restart_nothing() -> None:
    header = headers(60 * SECOND_MS)
    steps = ([100] * 5 + [59_500]) * 60

    pace = learn(header, [0] * len(steps), steps)

    assert not pace.restarts.any()
    assert header["interval_ms"][0] == pytest.approx(10_000, rel=0.5)
    assert header["pause_ms"][0] == pytest.approx(59_500)


def test_one_outage_restarts_the_window_and_is_not_taken_for_usual() -> None:
    header = headers(10 * SECOND_MS)

    pace = learn(header, [0] * 48, [10 * SECOND_MS] * 20 + [3 * 86_400 * SECOND_MS] + [10 * SECOND_MS] * 27)

    assert np.flatnonzero(pace.restarts).tolist() == [20]
    assert header["interval_ms"].tolist() == [10 * SECOND_MS]
    assert header["pause_ms"][0] <= 40 * SECOND_MS


def test_a_sensor_that_reports_changes_keeps_its_window_over_its_usual_pauses() -> None:
    rng = np.random.default_rng(5)
    steps = (20_000 * rng.geometric(0.4, 2000)).tolist()
    header = headers(50 * SECOND_MS)

    pace = learn(header, [0] * len(steps), steps)

    assert not pace.restarts.any()
    assert header["interval_ms"][0] == pytest.approx(50 * SECOND_MS, rel=0.5)


def test_the_limit_of_a_gap_is_the_setting_or_ten_intervals_and_three_usual_pauses() -> None:
    intervals, pauses = np.array([10.0, 10.0, 0.0]), np.array([10.0, 200.0, 0.0])

    assert gap_limit_ms(intervals, pauses, None).tolist() == [100.0, 600.0, np.inf]
    assert gap_limit_ms(intervals, pauses, 50).tolist() == [50.0, 50.0, 50.0]
