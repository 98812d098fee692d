"""How fast counters rise: resets, failed reads, pauses, precision, and that batches make no difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.state.counters import COUNTER, MS_PER_HOUR, CounterState, clear_counters, fold_rises

NAN = math.nan
GAP_MS = 10_000


def new_counters(sensors: int) -> CounterState:
    state = np.zeros((sensors, 1), COUNTER)
    clear_counters(state)
    return state


def fold(
    state: CounterState, readings: Sequence[tuple[int, float, int]], newest: list[int], interval_ms: float = 0.0
) -> list[float]:
    """Fold readings (sensor, value, time) of one counter each, in log order; return the rises per hour in that order.

    A step of more than GAP_MS or back restarts the window; `newest` has each sensor's newest time, and is updated. All have
    the same usual interval.
    """
    sensors, values, times_ms = (list(part) for part in zip(*readings, strict=True))
    restarts = []
    for sensor, time_ms in zip(sensors, times_ms, strict=True):
        restarts.append(not 0 < time_ms - newest[sensor] <= GAP_MS)
        newest[sensor] = time_ms
    codes = np.array(sensors)
    order = np.argsort(codes, kind="stable")
    touched, first = np.unique(codes[order], return_index=True)
    rank = np.arange(len(order)) - np.repeat(first, np.diff([*first, len(order)]))
    part = state[touched]
    columns = (
        np.array(values)[order, np.newaxis],
        np.array(times_ms, np.int64)[order],
        rank,
        np.array(restarts, np.bool_)[order],
    )
    found = fold_rises(part, *columns, interval_ms=np.full(len(order), interval_ms))
    state[touched] = part
    in_log_order = np.empty(len(order))
    in_log_order[order] = found.per_hour[:, 0]
    return in_log_order.tolist()


def of_one(values: list[float], times_ms: list[int] | None = None, interval_ms: float = 0.0) -> list[float]:
    """Return the rises per second of one sensor's values, a second apart unless the times say otherwise."""
    times_ms = times_ms or [1000 * second for second in range(len(values))]
    per_hour = fold(new_counters(1), list(zip([0] * len(values), values, times_ms, strict=True)), [0], interval_ms)
    return [NAN if math.isnan(one) else round(one / 3600, 6) for one in per_hour]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 6, 8, 8, 11], [NAN, 1, 2, 0, 3]),
        ([5, 6, 2, 3, 5], [NAN, 1, NAN, 1, 2]),  # it restarts, and rises from there
        ([50, 51, 0, 52, 53], [NAN, 1, NAN, NAN, 1]),  # a failed read says 0
        ([50, 51, 0, 0, 52, 53], [NAN, 1, NAN, 0, NAN, 1]),
        ([50, 51, NAN, 55, 56], [NAN, 1, NAN, 2, 1]),  # 4 in two seconds
        ([NAN, NAN, 7, 9], [NAN, NAN, NAN, 2]),
        ([18_228_934.02, 18_228_935.53, 18_228_937.0], [NAN, 1.51, 1.47]),
    ],
)
def test_rises(values: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(of_one(values), expected)


def test_a_rise_is_per_time_within_a_window_and_missing_after_a_pause_or_on_an_earlier_clock() -> None:
    times_ms = [0, 1000, 4000, 4000 + GAP_MS, 5000 + 2 * GAP_MS, 6000 + 2 * GAP_MS, 1000, 2000]

    assert str(of_one([0, 1, 7, 27, 30, 31, 32, 34], times_ms)) == str([NAN, 1.0, 2.0, 2.0, NAN, 1.0, NAN, 2.0])


@pytest.mark.parametrize(
    ("values", "times_ms", "expected"),
    [
        # hours in steps of 0.01: the step comes 0.1 s after the reading before, and counts in the next 2 s
        ([5.00, 5.00, 5.01, 5.01, 5.02], [0, 2000, 2100, 4000, 6000], [NAN, 0, NAN, 0.005, 0.005]),
        # a record that is sent twice, a moment later
        ([5.00, 5.01, 5.01, 5.02], [0, 2000, 2010, 4000], [NAN, 0.005, NAN, 0.005]),
        # just not too soon: half of the usual interval
        ([7, 8, 9], [0, 2000, 3000], [NAN, 0.5, 1]),
        ([7, 8, 9, 10], [0, 2000, 2999, 3000], [NAN, 0.5, NAN, 2]),
        # one that comes late, and the next in time
        ([5, 6, 7, 8], [0, 3500, 4000, 6000], [NAN, 0.285714, NAN, 0.8]),
        # an old value too soon is no fall, and no return
        ([50, 51, 40, 52], [0, 2000, 2100, 4000], [NAN, 0.5, NAN, 0.5]),
        # a burst that goes on counts at the usual pace
        ([1, 2, 3, 4, 5, 6], [0, 400, 800, 1200, 1600, 2000], [NAN, NAN, NAN, 2.5, NAN, NAN]),
    ],
)
def test_a_value_that_comes_too_soon_has_no_rise_and_the_next_one_has_all_of_it(
    values: list[float], times_ms: list[int], expected: list[float]
) -> None:
    np.testing.assert_allclose(of_one(values, times_ms, 2000.0), expected, atol=1e-6)


def reference(values: list[float], times_ms: list[int], interval_ms: float = 0.0) -> list[float]:
    """Return the rises of one sensor per hour, one reading after the other."""
    found, last, highest, last_ms, newest_ms = [], None, -math.inf, 0, 0
    for value, time_ms in zip(values, times_ms, strict=True):
        rise = NAN
        if not 0 < time_ms - newest_ms <= GAP_MS:
            last = None
        newest_ms = time_ms
        is_soon = last is not None and time_ms - last_ms < interval_ms / 2
        if not math.isnan(value) and not is_soon:
            if last is not None and value >= last and not last < highest <= value:
                rise = (value - last) / (time_ms - last_ms) * MS_PER_HOUR
            last, highest, last_ms = value, max(highest, value), time_ms
        found.append(rise)
    return found


READINGS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from([NAN, 0.0, 1.0, 2.0, 2.5, 3.0, 7.0, 9.0, 18_000_000.25]), st.integers(-500, 15_000)
    ),
    max_size=40,
)


@given(READINGS, st.lists(st.integers(1, 12), min_size=1, max_size=40), st.sampled_from([0.0, 2000.0, 14_000.0]))
def test_rises_do_not_depend_on_the_batches(
    readings: list[tuple[int, float, int]], sizes: list[int], interval_ms: float
) -> None:
    clocks = [0, 0, 0]
    stamped = []
    for sensor, value, step_ms in readings:
        clocks[sensor] += step_ms
        stamped.append((sensor, value, clocks[sensor]))
    state, newest, position = new_counters(3), [0, 0, 0], 0
    found: list[float] = []
    while position < len(stamped):
        size = sizes[len(found) % len(sizes)]
        batch = stamped[position : position + size]
        found += fold(state, batch, newest, interval_ms)
        position += size

    whole = new_counters(3)
    if stamped:
        fold(whole, stamped, [0, 0, 0], interval_ms)
    assert state.tobytes() == whole.tobytes()
    for sensor in range(3):
        own = [at for at, one in enumerate(stamped) if one[0] == sensor]
        expected = reference([stamped[at][1] for at in own], [stamped[at][2] for at in own], interval_ms)
        np.testing.assert_allclose([found[at] for at in own], expected)


def test_the_state_is_the_same_however_the_readings_are_cut() -> None:
    readings = [(0, 5.0, 1000), (0, 4.0, 2000), (0, 9.0, 3000), (0, NAN, 4000)]
    whole, cut, newest = new_counters(1), new_counters(1), [0]
    fold(whole, readings, [0])
    for reading in readings:
        fold(cut, [reading], newest)

    assert whole.tobytes() == cut.tobytes()
    assert whole[0, 0].tolist() == (9.0, 9.0, 3000)


def test_the_expected_value_follows_from_an_expected_rise() -> None:
    state = new_counters(1)

    found = fold_rises(state, np.array([[100.0], [101.0]]), np.array([0, 30_000]), np.arange(2), np.zeros(2, np.bool_))

    assert math.isnan(found.value_at(0, 0, 240.0))
    assert found.value_at(1, 0, 240.0) == 102.0
