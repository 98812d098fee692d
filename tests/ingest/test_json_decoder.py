"""What the decoder accepts as a reading, and which features it ignores."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.document import REASONS
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.timestamps import MAXIMUM_TIME_MS
from tests.examples import examples
from tests.ingest.records import DECODER, LIMITS, WRITTEN_MS, decode_one, document, record


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
    assert readings.places.tolist() == [7, 9]
    assert readings.times_ms.tolist() == [WRITTEN_MS] * 2
    assert readings.values.tolist() == [[1, 2.5], [0, -1]]
    columns = (readings.partitions, readings.places, readings.times_ms, readings.values)
    assert [column.dtype for column in columns] == [np.int32, np.int64, np.int64, np.float64]


@pytest.mark.parametrize(
    ("values", "met"),
    [({"a": 1}, False), ({"a": 1, "state": "running"}, False), ({"a": 1, "speed": 1480}, True), ({"speed": "1480"}, True)],
)
def test_it_notes_when_it_meets_a_number_of_a_feature_that_it_does_not_know(values: dict[str, object], met: bool) -> None:
    decoder = JsonDecoder(("a", "b"), replace(LIMITS, ignore_unknown_features=True))

    decoder.decode([record(document(values=values))])

    assert decoder.checks.met_unknown == met


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
        (1_799_999_999_250_999, WRITTEN_MS - 750),
        (1_799_999_999_250_999_999, WRITTEN_MS - 750),
        (1.79999999925e18, WRITTEN_MS - 750),
        ("1799999999.25", WRITTEN_MS - 750),
        (" 1799999999250 ", WRITTEN_MS - 750),
        ("2027-01-15T07:59:59.2509999Z", WRITTEN_MS - 750),
        ("2027-01-15t07:59:59z", WRITTEN_MS - 1000),
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
        ("not_a_number", document(values={"a": "auto", "c": 1})),
        ("not_finite", document(values={"a": None, "b": 1e39, "c": 1})),
        ("sensor_missing", document(sensor_id="", values={"a": 1, "c": 1})),
    ],
)
def test_a_record_without_a_known_feature_or_wrong_otherwise_is_rejected_all_the_same(reason: str, value: bytes) -> None:
    decoded = JsonDecoder(("a", "b"), LENIENT).decode([record(document(values={"a": 1, "c": 1})), record(value, 1)])

    assert [(one.reason, one.record.offset) for one in decoded.rejected] == [(reason, 1)]
    assert decoded.readings.places.tolist() == [0]


def test_that_features_are_ignored_is_logged_once_with_the_names(caplog: pytest.LogCaptureFixture) -> None:
    decoder = JsonDecoder(("a", "b"), LENIENT)

    with caplog.at_level(logging.INFO):
        for offset in range(3):
            decoder.decode([record(document(values={"a": 1, "motor current": 1}), offset), record(document(), offset)])

    (message,) = [one.message for one in caplog.records]
    assert message.endswith("in readings partition 3 offset 0: 'motor current'")


# -- any contents

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


@settings(deadline=None, max_examples=examples(150))
@given(values=st.lists(_values, max_size=8), timestamps=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8))
def test_whatever_is_in_the_topic_each_record_is_one_reading_one_rejection_or_one_tombstone(
    values: list[bytes | None], timestamps: list[int]
) -> None:
    records = [
        record(value, offset, timestamp) for offset, (value, timestamp) in enumerate(zip(values, timestamps, strict=False))
    ]

    decoded = DECODER.decode(records)

    offsets = decoded.readings.places.tolist()
    rejected = [one.record.offset for one in decoded.rejected]
    assert sorted(offsets + rejected) == [offset for offset, value in enumerate(values) if value]
    assert decoded.tombstones.total() == sum(not value for value in values)
    assert rejected == sorted(rejected)
    assert offsets == sorted(offsets)
    assert decoded.readings.values.shape == (len(offsets), 2)
    assert not np.isinf(decoded.readings.values).any()
    assert all(0 <= time_ms <= MAXIMUM_TIME_MS for time_ms in decoded.readings.times_ms.tolist())
    for sensor in decoded.readings.sensors:
        assert 0 < len(sensor.encode()) <= LIMITS.max_sensor_id_bytes
    for one in decoded.rejected:
        assert one.reason in REASONS
        dead_letter(one, "dead", 100)


def test_a_time_under_another_name_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    decoder = JsonDecoder(("a", "b"), LIMITS)
    unnamed = record(b'{"sensor_id": "s", "ts": 1, "values": {"a": 1}}', offset=7)

    assert decoder.decode([unnamed, unnamed]).readings.times_ms.tolist() == [WRITTEN_MS] * 2
    assert caplog.messages == [
        "readings without a timestamp take the time at which their record was written; the first is in readings partition 3 "
        "offset 7. Is 'ts' their time? Then call it timestamp"
    ]


def test_unknown_features_of_a_reading_that_lacks_known_ones_are_kept_with_it() -> None:
    """To tell a renamed feature; whatever was read before, and however rows are left out later."""
    decoder = JsonDecoder(("a", "b"), replace(LIMITS, ignore_unknown_features=True))
    values = [
        {"a": 1, "b": 2, "z": 3},
        {"a": 1},
        {"a": 1, "y": 2, "c": 3, "word": "high"},
        {"a": 1, "c": None},
        {"a": 1, "c": 4},
    ]
    records = [record(document(values=one), offset=at) for at, one in enumerate(values)]
    shaped = ShapedDecoder(("a", "b"), replace(LIMITS, ignore_unknown_features=True), InputReader())

    for one in (decoder, shaped):
        readings = one.decode(records).readings
        assert readings.strangers == {2: ("c", "y"), 4: ("c",)}
        assert readings.take(np.array([False, True, False, True, True])).strangers == {2: ("c",)}
    assert decoder.decode(records[:2]).readings.strangers is None
