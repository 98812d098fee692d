"""What the decoder rejects and for which reason, and that a bad record does not affect its neighbours."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.ingest.document import REASONS
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.timestamps import MAXIMUM_TIME_MS
from tests.ingest.records import DECODER, LIMITS, WRITTEN_MS, decode_one, document, record

NESTED = b"[" * 900 + b"]" * 900
REJECTIONS: list[tuple[str, bytes | None]] = [
    ("too_large", b'{"sensor_id": "s", "values": {"a": 1}, "pad": "' + b"x" * 2000 + b'"}'),
    ("not_json", b"sensor_id=s"),
    ("not_json", b"\x00\x01\x02\xff"),
    ("not_json", b'{"sensor_id": "s", "values": {"a": 1}'),
    ("not_json", b'{"sensor_id": "s", "values": {"a": 1}} {}'),
    ("not_json", b'{"sensor_id": "\xff", "values": {"a": 1}}'),
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
    ("wrong_type", document(values={"a": {}})),
    ("wrong_type", document(values={"a": {"value": 61.2, "quality": "Good"}, "b": "Bad"})),
    ("wrong_type", document(values={"a": None, "b": [61.2]})),
    ("not_a_number", document(values={"a": "running", "b": "Bad"})),
    ("not_a_number", document(values={"a": "1,234"})),
    ("no_value", document(values={"a": "Bad", "b": "I/O Timeout"})),
    ("no_value", document(values={"a": "No Data", "b": None})),
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
    ("time_out_of_range", document(timestamp=46083.0007)),
    ("time_out_of_range", document(timestamp="46083.0007")),
    ("time_out_of_range", document(timestamp=0)),
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
    ("not_finite", document(values={"a": "inf", "b": -1e39})),
    ("not_finite", b'{"sensor_id": "s", "values": {"a": ' + b"9" * 500 + b"}}"),
]


@pytest.mark.parametrize(("reason", "value"), REJECTIONS, ids=lambda part: repr(part)[:60])
def test_what_is_no_reading_is_rejected_with_a_reason(reason: str, value: bytes | None) -> None:
    good = document()
    records = [record(good, 0), record(value, 1), record(good, 2)]

    decoded = DECODER.decode(records)

    assert [(rejected.reason, rejected.record) for rejected in decoded.rejected] == [(reason, records[1])]
    assert 0 < len(decoded.rejected[0].detail) <= 500
    assert decoded.readings.places.tolist() == [0, 2]
    assert decoded.readings.values.tolist() == [[1.5, 2]] * 2


def test_a_time_of_hundreds_of_digits_has_a_short_detail() -> None:
    assert decode_one(document(timestamp=1e300)).rejected[0].detail == "not between 1970 and 2100: 1e+300"
    assert decode_one(document(timestamp=10**300)).rejected[0].detail == "not between 1970 and 2100: of many digits"


@pytest.mark.parametrize(
    ("reason", "timestamp"),
    [
        ("wrong_type", "2026-12-31T23:59:60Z"),
        ("time_out_of_range", WRITTEN_MS * 10**9),
    ],
)
def test_a_leap_second_and_finer_units_than_nanoseconds_are_refused(reason: str, timestamp: object) -> None:
    assert [rejected.reason for rejected in decode_one(document(timestamp=timestamp)).rejected] == [reason]


def test_a_reading_without_any_time_is_rejected() -> None:
    decoded = decode_one(document(timestamp=...), timestamp=-1)

    assert [rejected.reason for rejected in decoded.rejected] == ["time_missing"]


def test_every_reason_has_an_example() -> None:
    of_other_formats = {
        "wrong_format",
        "schema_unknown",
        "schema_unusable",
        "alias_unknown",
    }  # test_registry_payload.py, test_sparkplug_shape.py
    assert {reason for reason, _ in REJECTIONS} | {"time_missing"} | of_other_formats == set(REASONS)


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
    assert decoded.readings.places.tolist() == [1]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"timestamp": WRITTEN_MS + 7_200_000}, "the time of 's' is 2 h after its record was written"),
        ({"timestamp": "2027-01-15T10:00:00Z"}, "the time of 's' is 2 h after its record was written"),
        (
            {"timestamp": "2027-01-15 10:00:00"},
            "the time of 's' is 2 h after its record was written: "
            "is it a local time? Name its zone in STREAM_DETECTOR_INPUT__TIME_ZONE",
        ),
        ({"values": {"A": 1}}, "not features of the model: 'A'; it has a, b"),
        ({"sensor_id": 1.5}, "sensor_id is text or a whole number, not 1.5"),
    ],
)
def test_the_detail_says_what_to_do(changes: dict[str, object], detail: str) -> None:
    assert [rejected.detail for rejected in decode_one(document(**changes)).rejected] == [detail]


def test_an_id_that_is_null_is_called_so_and_a_whole_number_is_an_id() -> None:
    assert decode_one(document(sensor_id=None)).rejected[0].detail.startswith("sensor_id is null; found sensor_id")
    assert decode_one(document(sensor_id=7.0)).readings.sensors == ["7"]
