"""Which readings are idle: outside of the state in which a model learned, told from windows alone."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.readings import Float32Array, Readings
from stream_detector.state.appended import Appended
from stream_detector.state.idle import OnlyWhile, are_idle, enter_state
from stream_detector.state.record_layout import Records, new_records
from stream_detector.state.windows import append

NAN = float("nan")
FEATURES = ("running", "speed")
T = 4


def running(text: str = "running == 1") -> OnlyWhile:
    state = OnlyWhile.parse(text, FEATURES)
    assert state is not None
    return state


def appended(records: Records, values: list[tuple[float, float]], first: int = 0, state: OnlyWhile | None = None) -> Appended:
    """Append readings of one sensor, a second apart."""
    count = len(values)
    at = np.arange(first, first + count, dtype=np.int64)
    batch = Readings(["a"] * count, np.zeros(count, np.int32), at, 1_000_000 + 1000 * at, np.array(values, np.float32))
    return append(records, np.zeros(count, np.int32), batch, None, only_while=state or running())


def record() -> Records:
    return new_records(1, T, len(FEATURES), 1)


def newest(records: Records) -> Float32Array:
    """Return the newest row of the only window."""
    return np.asarray(records["rows"]["values"][0, (int(records["header"]["count"][0]) - 1) % T])


def test_a_window_begins_anew_where_the_machine_stops_and_where_it_runs_again() -> None:
    records = record()

    found = appended(records, [(1, 9), (1, 9), (0, 0), (0, 0), (1, 9), (1, 9), (1, 9)])

    assert found.is_idle.tolist() == [False, False, True, True, False, False, False]
    assert found.filled.tolist() == [1, 2, 1, 1, 1, 2, 3]
    assert found.restarted == 0  # none of it is a gap
    assert records["header"]["filled"][0] == 3


def test_a_stop_between_two_batches_is_told_by_the_window() -> None:
    records = record()

    appended(records, [(1, 9), (0, 0)])
    assert are_idle(records, running()).tolist() == [True]
    found = appended(records, [(1, 9), (1, 9)], first=2)

    assert found.filled.tolist() == [1, 2]
    assert are_idle(records, running()).tolist() == [False]


def test_a_window_begins_anew_at_a_stop_also_where_a_feature_is_a_counter() -> None:
    records = new_records(1, T, len(FEATURES), 1, counters=1)
    at = np.arange(5, dtype=np.int64)
    values = np.array([(1, 10), (1, 11), (0, 11), (1, 12), (1, 13)], np.float32)
    batch = Readings(["a"] * 5, np.zeros(5, np.int32), at, 1_000_000 + 1000 * at, values)

    found = append(records, np.zeros(5, np.int32), batch, None, [1], only_while=running())

    assert found.filled.tolist() == [1, 2, 1, 1, 2]


def test_a_feature_of_the_condition_that_is_missing_has_its_last_value() -> None:
    records = record()

    found = appended(records, [(NAN, 9), (1, 9), (NAN, 9), (0, 0), (NAN, 0), (NAN, 9), (1, NAN)])

    assert found.is_idle.tolist() == [True, False, False, True, True, True, False]
    appended(records, [(NAN, 9)] * (2 * T), first=7)  # longer than a window
    assert newest(records).tolist() == [1, 9]
    np.testing.assert_array_equal(found.newest_values()[:, 1], [9, 9, 9, 0, 0, 9, NAN])  # others stay missing


def test_numbers_are_compared_as_windows_hold_them() -> None:
    records = record()

    assert appended(records, [(0.1, 0), (0.2, 0)], state=running("running == 0.1")).is_idle.tolist() == [False, True]


def test_without_a_condition_nothing_is_idle() -> None:
    records = record()
    at = np.arange(3, dtype=np.int64)
    batch = Readings(["a"] * 3, np.zeros(3, np.int32), at, 1000 * at, np.zeros((3, 2), np.float32))

    found = append(records, np.zeros(3, np.int32), batch, None)

    assert found.idle is None
    assert (found.is_idle.tolist(), found.filled.tolist()) == ([False] * 3, [1, 2, 3])
    assert are_idle(records, None).tolist() == [False]


@pytest.mark.parametrize(
    ("values", "filled", "is_idle"),
    [
        ([(1, 9), (1, 9), (1, 9)], 3, False),
        ([(0, 0), (1, 9), (1, 9)], 2, False),
        ([(1, 9), (1, 9), (0, 0)], 1, True),
        ([(0, 0), (1, 9), (NAN, 9), (NAN, 9), (NAN, 9)], 4, False),
        ([(NAN, 9), (NAN, 9)], 1, True),
        ([], 0, False),
    ],
)
def test_windows_of_a_model_without_a_condition_lose_what_came_before_the_state(
    values: list[tuple[float, float]], filled: int, is_idle: bool
) -> None:
    records = record()
    if values:
        at = np.arange(len(values), dtype=np.int64)
        batch = Readings(["a"] * len(at), np.zeros(len(at), np.int32), at, 1000 * at, np.array(values, np.float32))
        append(records, np.zeros(len(at), np.int32), batch, None)
    header = records["header"].copy()

    enter_state(records, header, np.ones(1, np.bool_), running())

    assert header["filled"].tolist() == [filled]
    records["header"] = header
    assert are_idle(records, running()).tolist() == [is_idle]


@pytest.mark.parametrize(
    ("text", "said"),
    [("flow == 1", "no feature of the model"), ("speed > 1", "a counter"), ("running", "no comparison")],
)
def test_a_condition_that_a_stream_cannot_tell_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OnlyWhile.parse(text, FEATURES, counters=("speed",))
