"""Assembly: against a reference in plain Python however the log is cut, and examples worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.readings import Readings
from stream_detector.state.assembling import Assembled, assemble
from stream_detector.state.bucket_state import NO_TIME, Assembly, BucketStates
from stream_detector.state.codec.decode import decode
from stream_detector.state.codec.encode import encode
from stream_detector.state.record_layout import layout_name, new_records, record_dtype, shape_of_layout
from tests.examples import examples
from tests.state.assembling_reference import (
    ENOUGH,
    FEATURES,
    LIVE,
    NAN,
    RULE,
    SENSORS,
    Made,
    Sent,
    messages_of_fleets,
    new_states,
    readings_of,
    reference,
)


def made_of(assembled: Assembled) -> list[Made]:
    readings = assembled.readings
    assert readings.stamps_ms is not None
    return [
        Made(int(offset), int(slot), int(time_ms), tuple(values), tuple(held), int(stamp), bool(back))
        for offset, slot, time_ms, values, held, stamp, back in zip(
            readings.places.tolist(),
            assembled.slots.tolist(),
            readings.times_ms.tolist(),
            readings.values.tolist(),
            assembled.is_held.tolist(),
            readings.stamps_ms.tolist(),
            assembled.is_set_back.tolist(),
            strict=True,
        )
    ]


def take(states: BucketStates, messages: list[Sent], first: int = 0) -> Assembled:
    slots = np.array([one.sensor for one in messages], np.int32)
    return assemble(states, slots, readings_of(messages, first), RULE, window_length=4)


@settings(deadline=None, max_examples=examples(400))
@given(messages=messages_of_fleets(), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_readings_are_those_of_the_reference_however_the_log_is_cut(messages: list[Sent], cuts: list[int]) -> None:
    made, late = reference(messages)
    found, found_late = list[Made](), list[int]()
    records = new_records(SENSORS, 4, FEATURES, 1, assembles=True)
    bounds = [0, *sorted(min(cut, len(messages)) for cut in cuts), len(messages)]
    for start, stop in itertools.pairwise(bounds):
        assembled = take(records["assembly"][:, 0], messages[start:stop], start)
        records, is_decoded = decode(encode(records), 4, FEATURES, 1, assembles=True)  # as after a restart
        assert is_decoded.all()
        found += made_of(assembled)
        found_late += sorted((assembled.late.reading + start).tolist())

    assert [repr(one) for one in found] == [repr(one) for one in made]
    assert found_late == late
    whole = new_states()
    take(whole, messages)
    assert np.ascontiguousarray(records["assembly"][:, 0]).tobytes() == whole.tobytes()


def test_a_pending_bucket_takes_room_only_where_readings_are_assembled() -> None:
    plain = layout_name(64, ("flow", "speed"), 3, ("flow",))
    names = {layout_name(64, ("flow", "speed"), 3, ("flow",), Assembly(bucket_ms, 1000)) for bucket_ms in (500, 1000)}

    assert record_dtype(5, 2, 3).itemsize + 56 + 2 * 16 == record_dtype(5, 2, 3, assembles=True).itemsize
    assert len({plain, *names}) == 3
    assert {shape_of_layout(name) for name in names} == {shape_of_layout(plain)}


def times_and_values(assembled: Assembled) -> list[tuple[int, list[float]]]:
    readings = assembled.readings
    return list(zip(readings.times_ms.tolist(), readings.values.tolist(), strict=True))


def test_a_later_bucket_completes_the_one_before_with_its_newest_values() -> None:
    messages = [
        Sent(0, 101, (1.0, NAN)),
        Sent(0, 103, (NAN, 7.0)),
        Sent(0, 108, (2.0, NAN)),
        Sent(0, 104, (9.0, NAN)),  # older than what stands
        Sent(0, 110, (3.0, NAN)),
    ]
    assembled = take(new_states(), messages)

    assert times_and_values(assembled) == [(110, [2.0, 7.0])]
    assert assembled.readings.places.tolist() == [4]
    assert not len(assembled.late.reading)


def test_a_value_is_held_until_it_is_older_than_the_hold() -> None:
    messages = [Sent(0, 105, (1.0, 5.0)), *[Sent(0, time_ms, (2.0, NAN)) for time_ms in (115, 125, 135, 145, 155)]]
    assembled = take(new_states(), messages)

    assert [values[1] for _, values in times_and_values(assembled)[:4]] == [5.0, 5.0, 5.0, 5.0]  # 35 ms old at 140
    assert np.isnan(assembled.readings.values[4, 1])
    assert assembled.is_held.tolist() == [[False, False], [False, True], [False, True], [False, True], [False, False]]


def test_a_null_that_is_said_ends_the_value_that_is_held() -> None:
    null = (False, True)
    messages = [
        Sent(0, 105, (1.0, 5.0)),
        Sent(0, 112, (2.0, NAN)),
        Sent(0, 121, (2.0, NAN), nulls=null),
        Sent(0, 131, (2.0, NAN)),
        Sent(0, 141, (2.0, 6.0)),
        Sent(0, 151, (2.0, NAN)),
    ]
    assembled = take(new_states(), messages)

    assert repr([values[1] for _, values in times_and_values(assembled)]) == repr([5.0, 5.0, NAN, NAN, 6.0])
    assert assembled.is_held[:, 1].tolist() == [False, True, False, False, False]


def test_a_null_is_older_than_the_value_that_is_measured_after_it() -> None:
    states = new_states()
    take(states, [Sent(0, 103, (1.0, 5.0)), Sent(0, 108, (NAN, NAN), nulls=(False, True))])
    after = [Sent(0, 105, (NAN, 7.0)), Sent(0, 111, (2.0, NAN)), Sent(0, 109, (NAN, 8.0)), Sent(0, 120, (2.0, NAN))]
    assembled = take(states, after, 2)

    assert repr(times_and_values(assembled)) == repr([(110, [1.0, NAN]), (120, [2.0, 8.0])])


def test_buckets_without_a_message_make_no_reading() -> None:
    assembled = take(new_states(), [Sent(0, 100, (1.0, 2.0)), Sent(0, 200, (3.0, NAN)), Sent(0, 210, (3.0, NAN))])

    assert [time_ms for time_ms, _ in times_and_values(assembled)] == [110, 210]


def test_a_late_value_stands_from_now_on_if_it_is_the_newest() -> None:
    messages = [Sent(0, 101, (1.0, 1.0)), Sent(0, 111, (2.0, NAN)), Sent(0, 109, (0.5, 5.0)), Sent(0, 120, (3.0, NAN))]
    assembled = take(new_states(), messages)

    assert times_and_values(assembled) == [(110, [1.0, 1.0]), (120, [2.0, 5.0])]
    assert (assembled.late.reading.tolist(), assembled.late.behind_ms.tolist()) == ([2], [1])


@pytest.mark.parametrize(("stamp_step", "buckets"), [(10, LIVE), (0, ENOUGH)])
def test_so_many_late_buckets_are_a_clock_that_was_set_back(stamp_step: int, buckets: int) -> None:
    before = [Sent(0, 1000, (1.0, 6.0), 5000), Sent(0, 1010, (2.0, NAN), 5010)]
    since = [
        Sent(0, 500 + 10 * step + part, (float(step), NAN), 5020 + stamp_step * step)
        for step in range(buckets + 1)
        for part in (0, 1)
    ]
    assembled = take(new_states(), [*before, *since])

    start_ms = 500 + 10 * (buckets - 1)
    assert [time_ms for time_ms, _ in times_and_values(assembled)] == [1010, 1020, start_ms + 10]
    assert assembled.is_set_back.tolist() == [False, False, True]
    assert assembled.readings.values[2].tolist() == [buckets - 1.0, 6.0]  # what stood is as old as before
    assert len(assembled.late.reading) == 2 * (buckets - 1)


def test_nothing_of_a_value_that_no_longer_stands_is_kept() -> None:
    states = new_states()
    take(states, [Sent(0, 105, (1.0, 5.0)), Sent(0, 205, (2.0, NAN))])

    assert np.isnan(states["values"][0, 1])
    assert states["times_ms"][0].tolist() == [205, NO_TIME]


def scan(bucket: int, *values: float, last_ms: int = 3) -> list[Sent]:
    """Return a message for each feature of a bucket."""
    spread = [tuple(value if own == at else NAN for own in range(2)) for at, value in enumerate(values)]
    times_ms = [10 * bucket + 1, 10 * bucket + last_ms]
    return [Sent(0, time_ms, one) for time_ms, one in zip(times_ms, spread, strict=False)]


#: Of the first bucket nobody knows how many features there are; nothing follows the sets of the second and the third.
SCANNED = [one for bucket in range(10, 14) for one in scan(bucket, 1.0, 2.0)]


def test_a_bucket_is_complete_at_once_if_nothing_followed_a_full_set_in_the_ones_before() -> None:
    assembled = take(new_states(), [*SCANNED, *scan(14, 5.0, 6.0)])

    assert times_and_values(assembled)[3:] == [(140, [1.0, 2.0]), (150, [5.0, 6.0])]
    assert assembled.readings.places.tolist() == [2, 4, 6, 7, 9]  # the first three wait for the first message of the next
    assert not assembled.is_held.any()


def test_a_message_after_a_full_set_stands_in_the_next_reading_and_buckets_wait_again() -> None:
    more = [Sent(0, 136, (9.0, NAN)), Sent(0, 141, (NAN, 2.0)), *scan(15, 1.0, 2.0), *scan(16, 1.0, 2.0), *scan(17, 1.0, 2.0)]
    assembled = take(new_states(), [*SCANNED, *more])

    assert times_and_values(assembled)[3:6] == [(140, [1.0, 2.0]), (150, [9.0, 2.0]), (160, [1.0, 2.0])]
    assert assembled.readings.places.tolist()[3:] == [7, 10, 12, 14, 15]  # 17 is the first that does not wait again


def test_a_bucket_in_which_a_feature_is_held_waits_for_the_next_one() -> None:
    assembled = take(new_states(), [*SCANNED, *scan(14, 5.0), *scan(15, 6.0, 2.0)])

    assert times_and_values(assembled)[4:] == [(150, [5.0, 2.0]), (160, [6.0, 2.0])]
    assert assembled.readings.places.tolist()[4:] == [9, 10]
    assert assembled.is_held.tolist()[4:] == [[False, True], [False, False]]


def test_a_message_that_completes_a_bucket_does_not_complete_its_own() -> None:
    both = [Sent(0, 10 * bucket, (1.0, 2.0)) for bucket in range(10, 20)]
    assembled = take(new_states(), both)

    assert assembled.readings.places.tolist() == list(range(1, 10))


def test_an_empty_batch_completes_nothing() -> None:
    states = new_states()
    none = Readings([], np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)))

    assert not len(assemble(states, np.zeros(0, np.int32), none, Assembly(10, 30), 4).readings)
