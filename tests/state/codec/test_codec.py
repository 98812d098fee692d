"""The codec: exact, short, and nothing else decodes as a record."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.readings import Readings
from stream_detector.state.codec.decode import decode
from stream_detector.state.codec.encode import encode, encode_uncompressed
from stream_detector.state.codec.record_format import COPIED_FIELDS, UNCOMPRESSED
from stream_detector.state.record_layout import INCIDENT, KEPT_TYPES, MAXIMUM_RUN, MEMBER_SLOTS, Records, new_records
from stream_detector.state.windows import append

MINUTE_MS, START_MS = 60_000, 1_763_000_000_000
MEMBERS = 3
MAX_GAP_MS = 600_000
#: Of the head: format (2 bytes), time, place, count, model, level_count, memory, pace, minimum step, balance,
#: sustained; and per slot of a member.
HEAD_BYTES = 2 + 6 + 8 + 4 + 4 + 4 + 4 + 4 + 28 + 2 + 8 + 4 + 4 * MEMBER_SLOTS
FEATURE_BYTES = 1 + 4

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
decimal = st.builds(lambda number, places: number / 10**places, st.integers(-(10**7), 10**7), st.integers(0, 6))
value = st.one_of(finite, decimal, st.sampled_from([0.0, -0.0, math.nan, 1e-45, 3.4e38, -3.4e38, 2147483647.0, 16777216.5]))
run, offset = st.integers(0, MAXIMUM_RUN), st.integers(0, 2**42)
step_ms = st.one_of(st.integers(1, 3), st.integers(1, 60_000), st.just(MINUTE_MS), st.integers(60_000, 700_000))


def filled_records(columns: list[list[float]], steps_ms: list[int], window_length: int, features: int = 1) -> Records:
    """Return a record for each column that has read the values of its column at these steps."""
    records = new_records(len(columns), window_length, features, MEMBERS)
    count, turns = len(columns), len(steps_ms)
    values = np.array(columns, np.float64).astype(np.float32).reshape(count, turns, features)
    readings = Readings(
        sensors=["any"] * (count * turns),
        partitions=np.zeros(count * turns, np.int32),
        places=np.arange(count * turns),
        times_ms=np.repeat(START_MS + np.cumsum(steps_ms, dtype=np.int64), count),
        values=values.transpose(1, 0, 2).reshape(-1, features),
    )
    append(records, np.tile(np.arange(count, dtype=np.int32), turns), readings, MAX_GAP_MS)
    return records


def regular(columns: list[list[float]], window_length: int) -> Records:
    """Return records that have read these columns; a window is full after one reading more, as its oldest row needs a step."""
    columns = [[column[0], *column] if len(column) == window_length else column for column in columns]
    return filled_records(columns, [MINUTE_MS] * len(columns[0]), window_length)


def window_only(records: Records) -> bytes:
    """Return records' bytes without the rows that are not of the window."""
    records, window_length = records.copy(), records["rows"].shape[1]
    ages = (records["header"]["count"].astype(int)[:, None] - 1 - np.arange(window_length)) % window_length
    records["rows"][ages >= records["header"]["filled"][:, None]] = np.zeros((), records["rows"].dtype)
    return records.tobytes()


def restored(stored: list[bytes], like: Records) -> Records:
    """Return the records that these decode to."""
    records, is_decoded = decode(stored, like["rows"].shape[1], like["moments"].shape[1], MEMBERS)
    assert is_decoded.all()
    return records


def test_counters_are_kept_in_full_precision() -> None:
    records = new_records(2, 4, 1, MEMBERS, counters=2)
    records["counters"]["last"][1] = [18_228_934.02, 1e-300]
    records["counters"]["highest"][1] = [18_228_935.57, 7.0]
    records["counters"]["time_ms"][1] = [START_MS, START_MS + 1]
    records["header"]["last_time_ms"] = START_MS

    for stored in (encode(records), [encode_uncompressed(records[at : at + 1]) for at in range(2)]):
        found, is_decoded = decode(stored, 4, 1, MEMBERS, counters=2)
        assert is_decoded.all()
        assert found.tobytes() == records.tobytes()


@settings(deadline=None)
@given(data=st.data(), window_length=st.integers(1, 9), features=st.integers(1, 3), sensors=st.integers(1, 5))
def test_decoding_returns_the_encoded_records(data: st.DataObject, window_length: int, features: int, sensors: int) -> None:
    turns = data.draw(st.integers(0, 2 * window_length + 3))
    of_one = st.lists(value, min_size=turns * features, max_size=turns * features)
    columns = data.draw(st.lists(of_one, min_size=sensors, max_size=sensors))
    steps_ms = data.draw(st.lists(step_ms, min_size=turns, max_size=turns))
    records = filled_records(columns, steps_ms, window_length, features)
    header = records["header"]
    for at in range(sensors):
        header["shift"][at, :MEMBERS] = data.draw(st.lists(finite, min_size=MEMBERS, max_size=MEMBERS))
        header["memory"][at], header["model"][at] = data.draw(finite), data.draw(st.integers(0, 2**32 - 1))
        header["accepted"][at] = data.draw(st.sampled_from([0.0, 0.5]))
        if data.draw(st.booleans()):
            for name in INCIDENT:
                header[name][at] = data.draw(st.integers(0, 2 ** min(40, 8 * header.dtype[name].itemsize - 1)))
        if data.draw(st.booleans()):
            records["moments"]["count"][at], records["moments"]["mean"][at] = 1, data.draw(finite)
        for name in data.draw(st.sets(st.sampled_from(["unchanged", "absent", "longest", "turns"]))):
            of = records if name == "unchanged" else records["rules"]
            of[name][at] = data.draw(st.lists(run, min_size=features, max_size=features))
        if data.draw(st.booleans()):
            of_type = records["rules"]["incidents"][data.draw(st.sampled_from(list(KEPT_TYPES)))]
            of_type["offset"][at], of_type["time_ms"][at], of_type["calm"][at] = data.draw(st.tuples(offset, offset, run))
            records["rules"]["involved"][at] = data.draw(st.lists(st.integers(0, 63), min_size=features, max_size=features))

    stored = encode(records)

    assert window_only(restored(stored, records)) == window_only(records)
    assert all(len(one) <= 1 + records.itemsize for one in stored)
    assert stored == [encode(records[at : at + 1])[0] for at in range(sensors)]  # whatever else the call encodes


@pytest.mark.parametrize(
    ("column", "value_bytes"),
    [
        ([5.25] * 8, 0),  # the minimum only
        ([21.4, 21.5, 23.9, 46.0, 21.4, 21.4, 21.4, 21.4], 1),  # tenths, 246 of them
        ([21.0, 21.0, 21.5, 21.5, 21.5, 21.5, 21.5, 21.5], 1),  # the decimals are not guessed from the first two
        ([61.237, 61.001, 99.999, 61.2, 61.2, 61.2, 61.2, 61.2], 2),  # thousandths, 38,998 of them
        ([-0.5, 0.25, -0.125, 3.0, 3.0, 3.0, 3.0, 3.0], 2),
        ([math.pi, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8], 3),  # ranks of floats, because pi has too many decimals
        ([1e-30, 1e30, -1e30, 0.0, 1.0, 2.0, 3.0, 4.0], 4),
    ],
)
def test_a_value_takes_as_many_bytes_as_its_windows_range_needs(column: list[float], value_bytes: int) -> None:
    records = regular([column], window_length=8)

    (stored,) = encode(records)

    assert len(stored) == HEAD_BYTES + FEATURE_BYTES + 8 * value_bytes
    assert restored([stored], records).tobytes() == records.tobytes()


@pytest.mark.parametrize(
    ("steps_ms", "step_bytes"),
    [([MINUTE_MS] * 8, 0), ([MINUTE_MS + at * 20 for at in range(8)], 1), ([MINUTE_MS + at * 4000 for at in range(8)], 2)],
    ids=["regular", "somewhat irregular", "irregular"],
)
def test_a_time_takes_as_many_bytes_as_the_steps_between_readings_differ(steps_ms: list[int], step_bytes: int) -> None:
    records = filled_records([[1.0] * 9], [MINUTE_MS, *steps_ms], window_length=8)

    (stored,) = encode(records)

    assert len(stored) == HEAD_BYTES + FEATURE_BYTES + 8 * step_bytes
    assert restored([stored], records).tobytes() == records.tobytes()


def test_incident_and_moments_take_bytes_of_a_sensor_that_has_them_only() -> None:
    records = regular([[1.0] * 8] * 4, window_length=8)
    records["header"]["incident_offset"][1] = 7
    records["header"]["accepted"][2] = 0.5
    records["moments"]["count"][3] = 1

    stored = encode(records)

    shortest = HEAD_BYTES + FEATURE_BYTES
    assert [len(one) for one in stored] == [shortest, shortest + 76, shortest + 76, shortest + 26]
    assert restored(stored, records).tobytes() == records.tobytes()


def test_a_missing_value_takes_no_more_than_another() -> None:
    records = regular([[21.4, math.nan, 21.6, 21.4]], window_length=4)

    (stored,) = encode(records)

    assert len(stored) == HEAD_BYTES + FEATURE_BYTES + 4
    assert restored([stored], records).tobytes() == records.tobytes()


def test_the_stored_form_has_a_place_for_every_field_of_the_header() -> None:
    names = set(new_records(1, 4, 1, MEMBERS)["header"].dtype.names or ())

    assert names == {*COPIED_FIELDS, *INCIDENT, "last_time_ms", "filled"}


def test_rows_before_the_window_are_not_stored() -> None:
    records = filled_records([[1e30, 1e-30, 5.0, 5.0]], [1, 1, 700_000, MINUTE_MS], window_length=4)

    (stored,) = encode(records)

    assert records["header"]["filled"].tolist() == [2]
    assert len(stored) == HEAD_BYTES + FEATURE_BYTES + 2
    assert window_only(restored([stored], records)) == window_only(records)


def test_a_record_that_would_not_get_smaller_is_stored_uncompressed() -> None:
    records = filled_records([[1e-30, 1e30, -1e30, 0.0]], [MINUTE_MS, 1000, MINUTE_MS, 500_000], window_length=4)
    records["header"]["incident_offset"] = 7
    records["moments"]["count"] = 1
    records["unchanged"], records["rules"]["absent"] = 1, 1

    stored = encode(records)

    assert stored == [encode_uncompressed(records)] == [bytes([UNCOMPRESSED]) + records.tobytes()]
    assert restored(stored, records).tobytes() == records.tobytes()


def test_bytes_of_another_layout_decode_as_a_sensor_never_seen() -> None:
    records = regular([[21.4, 21.5, 21.6, 21.7]], window_length=4)
    (good,) = encode(records)
    of_another = encode(regular([[21.4, 21.5, 21.6, 21.7, 21.8]], window_length=5))[0]
    too_wide = bytes([good[0] | 5 << 4]) + good[1:] + bytes(100)
    damaged = [
        None,
        b"",
        good[:1],
        good[:-1],
        good + b"\0",
        of_another,
        too_wide,
        encode_uncompressed(records)[:-1],
        encode_uncompressed(records)[1:],
    ]

    found, is_decoded = decode([*damaged, good], 4, 1, MEMBERS)

    assert is_decoded.tolist() == [False] * len(damaged) + [True]
    assert found[:-1].tobytes() == new_records(len(damaged), 4, 1, MEMBERS).tobytes()
    assert found[-1:].tobytes() == records.tobytes()


@pytest.mark.parametrize("decimals", [5, 127, -2])
def test_an_invalid_number_of_decimals_is_no_record(decimals: int) -> None:
    records = regular([[21.4, 21.5, 21.6, 21.7]] * 2, window_length=4)
    good, changed = encode(records)
    start = HEAD_BYTES  # the decimals follow the minimum step
    damaged = changed[:start] + decimals.to_bytes(1, "little", signed=True) + changed[start + 1 :]

    found, is_decoded = decode([good, damaged], 4, 1, MEMBERS)

    assert is_decoded.tolist() == [True, False]
    assert found.tobytes() == records[:1].tobytes() + new_records(1, 4, 1, MEMBERS).tobytes()


def test_more_rows_than_a_window_has_are_no_record() -> None:
    (stored,) = encode(regular([[21.4, 21.5]], window_length=4))
    start = HEAD_BYTES + FEATURE_BYTES

    changed = stored[:start] + (5).to_bytes(2, "little") + stored[start + 2 :]

    assert stored[start : start + 2] == (2).to_bytes(2, "little")
    assert decode([changed, stored], 4, 1, MEMBERS)[1].tolist() == [False, True]


def test_many_records_are_encoded_like_few() -> None:
    records = regular([[20 + number / 10, 21.5] for number in range(5000)], window_length=2)

    assert encode(records) == encode(records[:3000]) + encode(records[3000:])


@settings(deadline=None)
@given(data=st.binary(max_size=120))
def test_any_bytes_decode_as_a_record_or_none(data: bytes) -> None:
    records, is_decoded = decode([data], 4, 1, MEMBERS)

    assert records["header"]["filled"].max() <= 4 or not is_decoded.all()


def test_no_records_encode_to_nothing() -> None:
    assert encode(new_records(0, 4, 1, MEMBERS)) == []
    assert len(decode([], 4, 1, MEMBERS)[0]) == 0
