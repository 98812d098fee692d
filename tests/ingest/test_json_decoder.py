"""The wire: what is a reading, what is not and why, and that nothing in a topic can harm its neighbours."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.json_decoder import REASONS, InputLimits, JsonDecoder
from stream_detector.readings import Decoded, Rejected
from stream_detector.timestamps import MAXIMUM_TIME_MS
from tests.fakes.memory_log import MemoryRecord

WRITTEN_MS = 1_800_000_000_000  # when the records were written: 2027-01-15T08:00:00Z
LIMITS = InputLimits(max_record_bytes=2000, max_sensor_id_bytes=20, max_future_ms=60_000)
DECODER = JsonDecoder(("a", "b"), LIMITS)


def record(value: bytes | None, offset: int = 0, timestamp: int = WRITTEN_MS, partition: int = 3) -> MemoryRecord:
    return MemoryRecord("readings", partition, offset, timestamp, b"key", value, (("trace", b"1"),))


def decode_one(value: bytes | None, timestamp: int = WRITTEN_MS) -> Decoded:
    return DECODER.decode([record(value, timestamp=timestamp)])


def document(**changes: object) -> bytes:
    """Return a good reading with changes; a change to ... removes the field."""
    fields: dict[str, object] = {"sensor_id": "s", "timestamp": WRITTEN_MS, "values": {"a": 1.5, "b": 2}}
    fields |= changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


# -- readings


def test_readings_become_columns_in_the_order_of_the_log() -> None:
    records = [
        record(document(sensor_id="x", values={"a": 1, "b": 2.5}), offset=7, partition=1),
        record(document(sensor_id="y", values={"b": -1, "a": 0}), offset=9, partition=2),
    ]

    decoded = DECODER.decode(records)

    assert decoded.rejected == []
    readings = decoded.readings
    assert readings.sensors == ["x", "y"]
    assert readings.partitions.tolist() == [1, 2]
    assert readings.offsets.tolist() == [7, 9]
    assert readings.times_ms.tolist() == [WRITTEN_MS] * 2
    assert readings.values.tolist() == [[1, 2.5], [0, -1]]
    columns = (readings.partitions, readings.offsets, readings.times_ms, readings.values)
    assert [column.dtype for column in columns] == [np.int32, np.int64, np.int64, np.float32]


def test_no_records_are_no_readings() -> None:
    decoded = DECODER.decode([])

    assert (len(decoded.readings), decoded.readings.values.shape, decoded.rejected) == (0, (0, 2), [])


@pytest.mark.parametrize(
    "values",
    [b'{"a": 1}', b'{"a": 1, "b": null}', b'{"a": 1, "b": NaN}'],
    ids=["absent", "null", "NaN"],
)
def test_a_feature_that_is_absent_null_or_nan_is_missing(values: bytes) -> None:
    decoded = decode_one(b'{"sensor_id": "s", "values": ' + values + b"}")

    assert np.array_equal(decoded.readings.values, np.array([[1, np.nan]], np.float32), equal_nan=True)


def test_a_reading_may_have_all_its_features_missing() -> None:
    assert np.isnan(decode_one(document(values={"a": None})).readings.values).all()


@pytest.mark.parametrize(
    ("timestamp", "expected_ms"),
    [
        ("2027-01-15T07:59:59.250Z", WRITTEN_MS - 750),
        ("2027-01-15T07:59:59", WRITTEN_MS - 1000),  # without a zone: UTC
        ("2027-01-15T09:59:59+02:00", WRITTEN_MS - 1000),
        ("2027-01-15T07:59:59.123456Z", WRITTEN_MS - 877),  # microseconds are cut off
        ("2027-01-15 07:59:59", WRITTEN_MS - 1000),
        (" 2027-01-15T07:59:59Z ", WRITTEN_MS - 1000),
        ("20270115T075959Z", WRITTEN_MS - 1000),
        ("2027-01-15", WRITTEN_MS - 8 * 3_600_000),
        ("1970-01-01T00:00:00Z", 0),
        (1_799_999_999, WRITTEN_MS - 1000),
        (1_799_999_999.25, WRITTEN_MS - 750),
        (1_799_999_999_250, WRITTEN_MS - 750),
        (1_799_999_999_250.9, WRITTEN_MS - 750),
        (0, 0),
        (None, WRITTEN_MS),
        (..., WRITTEN_MS),
    ],
)
def test_times_are_iso_epoch_seconds_or_milliseconds_or_the_records_own(timestamp: object, expected_ms: int) -> None:
    assert decode_one(document(timestamp=timestamp)).readings.times_ms.tolist() == [expected_ms]


@pytest.mark.parametrize(
    ("value", "sensor"),
    [
        (b'\xef\xbb\xbf{"sensor_id": "s", "values": {"a": 1}}', "s"),  # byte order mark
        (b'{"sensor_id": 17, "values": {"a": 1}}', "17"),
        (b'{"sensor_id": 0, "values": {"a": 1}}', "0"),
        (b'{"sensor_id": "s", "values": {"a": 2}, "values": {"a": 1}}', "s"),  # the last one counts
        (b'{"sensor_id": "s", "values": {"a": 2, "a": 1}}', "s"),
        (b'{"sensor_id": 17, "values": {"a": 2, "a": 1}}', "17"),
        (b'{"sensor_id": "s", "values": {"a": 1}, "site": ["north", {"floor": 2}]}', "s"),  # other fields do not matter
        (b'{"sensor_id": "\\u00fc\\ud83d\\ude00", "values": {"a": 1}}', "ü😀"),
        ('{"sensor_id": "泵", "values": {"a": 1}}'.encode(), "泵"),
        (b' \n{"values":{"a":1.0e0},"sensor_id":"s"}\r\n', "s"),
        (b'{"sensor_id": "a b/c:{d}", "values": {"a": 1}}', "a b/c:{d}"),
    ],
)
def test_what_producers_write_is_taken(value: bytes, sensor: str) -> None:
    decoded = decode_one(value)

    assert decoded.rejected == []
    assert decoded.readings.sensors == [sensor]
    assert decoded.readings.values[0, 0] == 1


# -- rejections

NESTED = b"[" * 900 + b"]" * 900
REJECTIONS: list[tuple[str, bytes | None]] = [
    ("empty", None),
    ("empty", b""),
    ("too_large", b'{"sensor_id": "s", "values": {"a": 1}, "pad": "' + b"x" * 2000 + b'"}'),
    ("not_json", b"sensor_id=s"),
    ("not_json", b"\x00\x01\x02\xff"),
    ("not_json", b'{"sensor_id": "s", "values": {"a": 1}'),
    ("not_json", b'{"sensor_id": "s", "values": {"a": 1}} {}'),
    ("not_json", b'{"sensor_id": "\xff", "values": {"a": 1}}'),
    ("not_json", b'{"sensor_id": "s", "values": {"a": ' + b"9" * 500 + b"}}"),
    ("not_json", b"   "),
    ("wrong_type", b"[1, 2]"),
    ("wrong_type", b"null"),
    ("wrong_type", b"17"),
    ("wrong_type", NESTED),
    ("wrong_type", document(sensor_id=["s"])),
    ("wrong_type", document(sensor_id=True)),
    ("wrong_type", document(sensor_id=1.5)),
    ("wrong_type", b'{"sensor_id": "\\ud800", "values": {"a": 1}}'),  # half of a surrogate pair is no text
    ("wrong_type", document(values=[1, 2])),
    ("wrong_type", document(values={"a": "61.2"})),
    ("wrong_type", document(values={"a": True})),
    ("wrong_type", document(values={"a": {}})),
    ("wrong_type", document(timestamp="yesterday")),
    ("wrong_type", document(timestamp="")),
    ("wrong_type", document(timestamp=True)),
    ("wrong_type", document(timestamp=[1])),
    ("sensor_missing", document(sensor_id=...)),
    ("sensor_missing", document(sensor_id=None)),
    ("sensor_missing", document(sensor_id="")),
    ("sensor_missing", document(sensor_id="  ")),
    ("sensor_too_long", document(sensor_id="x" * 21)),
    ("sensor_too_long", document(sensor_id="ü" * 11)),
    ("sensor_too_long", document(sensor_id=10**21)),
    ("time_out_of_range", document(timestamp=-1)),
    ("time_out_of_range", document(timestamp="1969-12-31T23:59:59Z")),
    ("time_out_of_range", document(timestamp="0001-01-01T00:00:00+23:59")),
    ("time_out_of_range", document(timestamp="9999-12-31T23:59:59-23:59")),
    ("time_out_of_range", document(timestamp=MAXIMUM_TIME_MS + 1)),
    ("time_out_of_range", document(timestamp=1e300)),
    ("time_out_of_range", document(timestamp=10**350)),
    ("time_out_of_range", document(timestamp=math.inf)),
    ("time_out_of_range", document(timestamp=math.nan)),
    ("time_in_future", document(timestamp=WRITTEN_MS + 60_001)),
    ("values_missing", document(values=...)),
    ("values_missing", document(values=None)),
    ("values_missing", document(values={})),
    ("unknown_features", document(values={"a": 1, "c": 2})),
    ("unknown_features", document(values={"A": 1})),
    ("unknown_features", b'{"sensor_id": "s", "values": {"a": 1, "\\udfff": 2}}'),
    ("unknown_features", document(values={f"long name {n} " + 60 * "x": 1 for n in range(20)})),
    ("not_finite", document(values={"a": math.inf})),
    ("not_finite", document(values={"a": -math.inf})),
    ("not_finite", b'{"sensor_id": "s", "values": {"a": 1e999}}'),
    ("not_finite", document(values={"a": 10**350})),
    ("not_finite", document(values={"a": 1e39})),  # beyond float32
    ("not_finite", document(values={"a": 1, "b": -1e39})),
]


@pytest.mark.parametrize(("reason", "value"), REJECTIONS, ids=lambda part: repr(part)[:60])
def test_what_is_no_reading_is_rejected_with_a_reason(reason: str, value: bytes | None) -> None:
    good = document()
    records = [record(good, 0), record(value, 1), record(good, 2)]

    decoded = DECODER.decode(records)

    assert [(rejected.reason, rejected.record) for rejected in decoded.rejected] == [(reason, records[1])]
    assert 0 < len(decoded.rejected[0].detail) <= 500
    assert decoded.readings.offsets.tolist() == [0, 2]
    assert decoded.readings.values.tolist() == [[1.5, 2]] * 2


def test_a_time_of_hundreds_of_digits_has_a_short_detail_that_says_what_is_wrong_first() -> None:
    detail = decode_one(document(timestamp=1e300)).rejected[0].detail

    assert detail.startswith("not between 1970 and 2100: 10000")
    assert len(detail) == 200


@pytest.mark.parametrize(
    ("reason", "timestamp"),
    [
        ("wrong_type", str(WRITTEN_MS // 1000)),
        ("wrong_type", "2026-12-31T23:59:60Z"),
        ("time_out_of_range", WRITTEN_MS * 10**3),
        ("time_out_of_range", WRITTEN_MS * 10**6),
    ],
)
def test_a_number_as_text_a_leap_second_and_finer_units_than_milliseconds_are_refused(reason: str, timestamp: object) -> None:
    assert [rejected.reason for rejected in decode_one(document(timestamp=timestamp)).rejected] == [reason]


def test_a_reading_without_any_time_is_rejected() -> None:
    decoded = decode_one(document(timestamp=...), timestamp=-1)

    assert [rejected.reason for rejected in decoded.rejected] == ["time_missing"]


def test_every_reason_has_an_example() -> None:
    assert {reason for reason, _ in REJECTIONS} | {"time_missing"} == set(REASONS)


@pytest.mark.parametrize("timestamp", [WRITTEN_MS + 60_000, MAXIMUM_TIME_MS])
def test_times_up_to_the_limits_are_taken(timestamp: int) -> None:
    written_ms = WRITTEN_MS if timestamp < MAXIMUM_TIME_MS else -1  # a record without a time limits nothing

    assert decode_one(document(timestamp=timestamp), timestamp=written_ms).rejected == []


def test_an_id_as_long_as_allowed_is_taken() -> None:
    assert decode_one(document(sensor_id="ü" * 10)).rejected == []


def test_the_greatest_float32_is_taken() -> None:
    greatest = float(np.finfo(np.float32).max)

    assert decode_one(document(values={"a": greatest, "b": -greatest})).readings.values.tolist() == [[greatest, -greatest]]


def test_nesting_too_deep_for_the_parser_is_rejected() -> None:
    decoder = JsonDecoder(("a",), replace(LIMITS, max_record_bytes=10**6))
    deep = b'{"sensor_id": 1, "values": {"a": 1}, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"

    decoded = decoder.decode([record(deep), record(b'{"sensor_id": "s", "values": {"a": 1}}', 1)])

    assert [rejected.reason for rejected in decoded.rejected] == ["not_json"]
    assert decoded.readings.offsets.tolist() == [1]


# -- features that the model does not know

LENIENT = replace(LIMITS, ignore_unknown_features=True)


@pytest.mark.parametrize(
    "unknown",
    [b'"c": 1', b'"c": null', b'"c": 1e999', b'"c": NaN', b'"c": "auto"', b'"c": true', b'"c": [1, {"a": 2}]', b'"\\udfff": 2'],
)
def test_unknown_features_of_any_kind_are_ignored_if_the_limits_say_so(unknown: bytes) -> None:
    records = [
        record(b'{"sensor_id": "s", "values": {"a": 1.5, ' + unknown + b', "b": -2}}', 0),
        record(b'{"sensor_id": "s", "values": {' + unknown + b', "b": NaN, "a": 1}}', 1),
    ]

    decoded = JsonDecoder(("a", "b"), LENIENT).decode(records)

    assert decoded.rejected == []
    assert np.array_equal(decoded.readings.values, np.array([[1.5, -2], [1, np.nan]], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        ("unknown_features", document(values={"c": 1, "A": 2})),
        ("unknown_features", document(values={"c": "auto"})),
        ("values_missing", document(values={})),
        ("wrong_type", document(values={"a": "1.5", "c": 1})),
        ("not_finite", document(values={"a": 1, "b": 1e39, "c": 1})),
        ("sensor_missing", document(sensor_id="", values={"a": 1, "c": 1})),
    ],
)
def test_a_record_without_a_known_feature_or_wrong_otherwise_is_rejected_all_the_same(reason: str, value: bytes) -> None:
    decoded = JsonDecoder(("a", "b"), LENIENT).decode([record(document(values={"a": 1, "c": 1})), record(value, 1)])

    assert [(one.reason, one.record.offset) for one in decoded.rejected] == [(reason, 1)]
    assert decoded.readings.offsets.tolist() == [0]


def test_that_features_are_ignored_is_logged_once_with_the_names(caplog: pytest.LogCaptureFixture) -> None:
    decoder = JsonDecoder(("a", "b"), LENIENT)

    with caplog.at_level(logging.INFO):
        for offset in range(3):
            decoder.decode([record(document(values={"a": 1, "motor current": 1}), offset), record(document(), offset)])

    (message,) = [one.message for one in caplog.records]
    assert message.endswith("in readings partition 3 offset 0: 'motor current'")


# -- anything

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "é"]), inner, max_size=3),
    max_leaves=8,
)
_documents = st.fixed_dictionaries(
    {},
    optional={
        "sensor_id": st.sampled_from(["s", "pump-7", ""]) | st.text(alphabet=st.characters(), max_size=30) | _json,
        "timestamp": st.sampled_from(["2027-01-15T07:00:00Z", 1_799_000_000]) | st.floats() | st.datetimes().map(str) | _json,
        "values": st.just({"a": 1.0}) | st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats() | _json) | _json,
    },
).map(lambda fields: json.dumps(fields).encode())
_values = st.none() | st.binary(max_size=60) | _json.map(lambda value: json.dumps(value).encode()) | _documents


@settings(deadline=None, max_examples=150)
@given(values=st.lists(_values, max_size=8), timestamps=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8))
def test_whatever_is_in_the_topic_each_record_is_one_reading_or_one_rejection(
    values: list[bytes | None], timestamps: list[int]
) -> None:
    records = [
        record(value, offset, timestamp) for offset, (value, timestamp) in enumerate(zip(values, timestamps, strict=False))
    ]

    decoded = DECODER.decode(records)

    offsets = decoded.readings.offsets.tolist()
    rejected = [one.record.offset for one in decoded.rejected]
    assert sorted(offsets + rejected) == list(range(len(records)))
    assert offsets == sorted(offsets)
    assert decoded.readings.values.shape == (len(offsets), 2)
    assert not np.isinf(decoded.readings.values).any()
    assert all(0 <= time_ms <= MAXIMUM_TIME_MS for time_ms in decoded.readings.times_ms.tolist())
    for sensor in decoded.readings.sensors:
        assert 0 < len(sensor.encode()) <= LIMITS.max_sensor_id_bytes
    for one in decoded.rejected:
        assert one.reason in REASONS
        dead_letter(one, "dead", 100)


# -- dead letters


def headers_of(rejected: Rejected, limit: int = 1000) -> dict[str, bytes | None]:
    return dict(dead_letter(rejected, "dead", limit).headers)


def test_a_dead_letter_carries_the_record_as_it_was_and_why_and_from_where() -> None:
    rejected = Rejected(record(b"{broken", offset=42), "not_json", "line 1 column 2")

    message = dead_letter(rejected, "dead", 1000)

    assert (message.topic, message.key, message.value) == ("dead", b"key", b"{broken")
    assert message.headers == (
        ("trace", b"1"),
        ("stream_detector.reason", b"not_json"),
        ("stream_detector.detail", b"line 1 column 2"),
        ("stream_detector.topic", b"readings"),
        ("stream_detector.partition", b"3"),
        ("stream_detector.offset", b"42"),
        ("stream_detector.timestamp", str(WRITTEN_MS).encode()),
    )


def test_a_dead_letter_of_a_tombstone_has_no_value() -> None:
    rejected = Rejected(replace(record(None), key=None, headers=()), "empty", "the record has no value")

    message = dead_letter(rejected, "dead", 1000)

    assert (message.key, message.value) == (None, None)


def test_a_value_too_large_for_a_dead_letter_is_cut_with_its_length_and_hash() -> None:
    value = b"v" * 101
    rejected = Rejected(record(value), "too_large", "101 bytes")

    message, headers = dead_letter(rejected, "dead", 100), headers_of(rejected, 100)

    assert message.value == b"v" * 100
    assert headers["stream_detector.value_bytes"] == b"101"
    assert headers["stream_detector.value_sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert "stream_detector.key_bytes" not in headers


def test_a_key_too_large_for_a_dead_letter_is_cut_as_well() -> None:
    rejected = Rejected(replace(record(b"v"), key=b"k" * 101), "not_json", "")

    assert dead_letter(rejected, "dead", 100).key == b"k" * 100
    assert headers_of(rejected, 100)["stream_detector.key_bytes"] == b"101"


def test_headers_too_large_for_a_dead_letter_are_left_out_and_counted() -> None:
    many = (("a", b"x" * 50), ("b", b"x" * 60), ("c", None))
    rejected = Rejected(replace(record(b"v"), headers=many), "not_json", "")

    headers = headers_of(rejected, 100)

    assert headers["a"] == b"x" * 50
    assert headers["stream_detector.headers_dropped"] == b"2"
    assert not {"b", "c"} & headers.keys()
    assert headers["stream_detector.reason"] == b"not_json"


def test_headers_are_measured_by_the_bytes_of_their_names() -> None:
    rejected = Rejected(replace(record(b"v"), headers=(("ü" * 60, b""),)), "not_json", "")

    assert headers_of(rejected, 100)["stream_detector.headers_dropped"] == b"1"
    assert "stream_detector.headers_dropped" not in headers_of(rejected, 120)
