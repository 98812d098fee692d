"""Late readings, and clocks that are set back or jump ahead, as a fold over a sensor's readings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.readings import Readings
from stream_detector.state.appended import Appended
from stream_detector.state.pace import begin_pace
from stream_detector.state.record_layout import Records, new_records
from stream_detector.state.windows import append

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
START_MS = 20_000 * DAY_MS
LENGTH = 20
#: A reading: sensor, event time, time of its record.
Log = list[tuple[int, int, int]]


def records_of(sensors: int = 1, interval_ms: float = MINUTE_MS) -> Records:
    """Return the records of sensors with this interval to begin with."""
    records = new_records(sensors, LENGTH, 1, 1)
    header = records["header"].copy()
    begin_pace(header, np.full(sensors, interval_ms, np.float32), np.zeros(sensors, np.float32))
    records["header"] = header
    return records


def add(records: Records, log: Log, *, has_stamps: bool = True) -> Appended:
    """Append readings in the order of the log; their values are their places in it."""
    slots, times_ms, stamps_ms = (np.array([one[at] for one in log], np.int64) for at in range(3))
    values = np.arange(len(log), dtype=np.float64)[:, np.newaxis]
    offsets = np.arange(len(log))
    stamps = stamps_ms if has_stamps else None
    readings = Readings([str(one[0]) for one in log], np.zeros(len(log), np.int32), offsets, times_ms, values, stamps)
    return append(records, slots.astype(np.int32), readings, None)


def a_minute_apart(clocks_ms: list[int]) -> Log:
    """Return a reading a minute of one sensor, whose clock is ahead by so much at each."""
    return [(0, START_MS + at * MINUTE_MS + ahead, START_MS + at * MINUTE_MS) for at, ahead in enumerate(clocks_ms)]


def dropped(appended: Appended) -> list[int]:
    return sorted(appended.lateness.reading.tolist())


@settings(deadline=None)
@given(
    log=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([0, 0, 0, 0, -5 * DAY_MS, 50 * MINUTE_MS, -MINUTE_MS]),
            st.sampled_from([MINUTE_MS, MINUTE_MS, MINUTE_MS, 0, 20_000 * MINUTE_MS]),
            st.integers(1, 30),
        ),
        max_size=8,
    ),
    data=st.data(),
)
def test_clocks_and_late_readings_do_not_depend_on_how_the_log_was_cut(
    log: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    """Each part of the log is a run of readings of one sensor by one clock, at one pace of its records."""
    readings: Log = []
    now = START_MS
    for sensor, ahead, came, count in log:
        for _ in range(count):
            now += MINUTE_MS
            readings.append((sensor, now + ahead, START_MS + (now - START_MS) * came // MINUTE_MS))
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=8).map(sorted))
    whole, in_parts = records_of(2), records_of(2)

    at_once = add(whole, readings)
    parts = [add(in_parts, readings[start:stop]) for start, stop in itertools.pairwise([0, *cuts, len(readings)])]

    whole["rows"]["values"] = in_parts["rows"]["values"] = 0  # places in the batch
    assert in_parts.tobytes() == whole.tobytes()
    assert sum(part.late for part in parts) == at_once.late
    for sensor in (0, 1):
        for name in ("filled", "clock_ms", "jump_ms", "times_ms"):
            found = [getattr(part, name)[part.slot == sensor] for part in parts]
            assert np.concatenate(found).tolist() == getattr(at_once, name)[at_once.slot == sensor].tolist()


def test_a_few_readings_from_1970_are_dropped_and_the_window_goes_on() -> None:
    log = a_minute_apart([0] * 60)
    log[30:35] = [(0, 3000 * (at - 29), stamp) for at, (_, _, stamp) in enumerate(log[30:35], 30)]

    appended = add(records_of(), log)

    assert dropped(appended) == [30, 31, 32, 33, 34]
    assert appended.filled.tolist() == [*range(1, 21), *[20] * 35]
    assert not appended.clock_ms.any()


def test_a_clock_that_is_set_back_for_good_costs_seven_readings() -> None:
    appended = add(records_of(), a_minute_apart([0] * 40 + [-26 * 365 * DAY_MS] * 100))

    assert dropped(appended) == [*range(40, 47)]
    assert appended.filled[40:].tolist() == [*range(12, 20), *[20] * 85]  # scored again from the ninth reading on
    assert appended.restarted == 0
    assert appended.clock_ms[39:42].tolist() == [0, -26 * 365 * DAY_MS, -26 * 365 * DAY_MS]
    assert np.count_nonzero(appended.jump_ms) == 1


def test_a_clock_that_is_ahead_for_a_while_costs_seven_readings_when_it_is_right_again() -> None:
    appended = add(records_of(), a_minute_apart([0] * 40 + [50 * MINUTE_MS] * 10 + [0] * 60))

    assert dropped(appended) == [*range(50, 57)]
    assert appended.filled[40:].tolist() == [*[20] * 10, *range(12, 20), *[20] * 45]  # it is ahead, then right again
    assert appended.clock_ms[[39, 40, 49, 50]].tolist() == [0, 50 * MINUTE_MS, 50 * MINUTE_MS, 0]


def test_a_clock_set_back_twice_and_the_hour_of_autumn() -> None:
    appended = add(records_of(), a_minute_apart([0] * 40 + [-60 * MINUTE_MS] * 40 + [-DAY_MS] * 40))

    assert dropped(appended) == [*range(40, 47), *range(80, 87)]
    assert appended.clock_ms[-1] == -DAY_MS
    assert appended.restarted == 0


def test_a_backlog_that_is_sent_again_is_dropped_and_the_clock_stays() -> None:
    """It comes at a hundred times the pace, between readings in time and then a few at once."""
    log = a_minute_apart([0] * 60)
    resent = [(0, START_MS + at * MINUTE_MS, START_MS + 59 * MINUTE_MS + 600 * at) for at in range(10, 25)]

    appended = add(records_of(), [*log, *resent, *a_minute_apart([0] * 80)[60:]])

    assert dropped(appended) == [*range(60, 75)]
    assert not appended.jump_ms.any()


def test_two_sources_by_one_name_do_not_set_the_clock_back() -> None:
    both = [pair for now in a_minute_apart([0] * 60) for pair in (now, (0, now[1] - DAY_MS, now[2] + 1))]

    appended = add(records_of(), both)

    assert appended.reading.tolist() == [0, *range(2, 120, 2)]


@pytest.mark.parametrize("has_stamps", [True, False])
def test_a_history_written_at_once_needs_a_windows_worth_of_late_readings_and_a_new_window(has_stamps: bool) -> None:
    log = [(0, time_ms, START_MS + 9 * DAY_MS) for _, time_ms, _ in a_minute_apart([0] * 40 + [-DAY_MS] * 60)]

    appended = add(records_of(), log, has_stamps=has_stamps)

    assert dropped(appended) == [*range(40, 59)]
    assert appended.filled[40:].tolist() == [*range(1, 21), *[20] * 21]
    assert appended.restarted == 1


def test_repeated_readings_are_late_and_not_orderly() -> None:
    twice = [one for one in a_minute_apart([0] * 30) for _ in range(2)]

    appended = add(records_of(), twice)

    assert appended.late == 30
    assert not appended.lateness.is_orderly.any()
    assert appended.lateness.behind_ms.tolist() == [0] * 30
