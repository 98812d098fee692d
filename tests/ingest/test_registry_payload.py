"""Records whose values have a schema in a schema registry."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from stream_detector.errors import RegistryUnavailableError
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.registry_payload import RegistryPayload
from stream_detector.ingest.schemas import Schema
from tests.fakes.clock import Clock
from tests.fakes.memory_schemas import MemorySchemas
from tests.ingest.registry_records import AVRO, GUID, PROTOBUF, avro, framed, protobuf, record

JSON_SCHEMA = Schema("JSON", '{"type": "object"}')
LONG = Schema("AVRO", '"long"')


def payload(schemas: MemorySchemas, clock: Clock | None = None, most: int = 1000) -> RegistryPayload:
    return RegistryPayload(schemas, clock or Clock(), most_schemas=most, unknown_seconds=60.0)


def rejection(schemas: MemorySchemas, value: bytes, headers: dict[str, bytes] | None = None) -> RejectionError:
    with pytest.raises(RejectionError) as caught:
        payload(schemas).document(record(value, headers))
    return caught.value


def test_avro_becomes_a_document_of_numbers_and_texts() -> None:
    moment = datetime(2026, 11, 23, 7, 12, 0, 250_000)  # noqa: DTZ001 - a local time has no zone
    datum = {
        "tags": {"host": "pump-7"},
        "measured": moment.replace(tzinfo=UTC),
        "local": moment,
        "day": date(2026, 11, 23),
        "temperature": 61.5,
        "price": Decimal("12.34"),
        "raw": b"ab",
        "mode": "ON",
        "others": {"pressure": 1.5},
        "series": [1, -2],
    }
    assert payload(MemorySchemas({3: AVRO})).document(record(framed(3, avro(AVRO, datum)))) == {
        "tags": {"host": "pump-7"},
        "measured": 1_795_417_920_250,
        "local": "2026-11-23T07:12:00.250000",
        "day": "2026-11-23",
        "temperature": 61.5,
        "price": 12.34,
        "raw": "YWI=",
        "mode": "ON",
        "others": {"pressure": 1.5},
        "series": [1, -2],
    }


def test_protobuf_becomes_a_document_in_which_what_was_not_set_is_absent_and_zero_is_zero() -> None:
    message = protobuf(PROTOBUF, "Reading")
    message.tags.host = "pump-7"
    message.others["pressure"] = 1.5
    message.measured.seconds, message.measured.nanos = 1_795_417_920, 250_000_000
    message.parts.add(speed=0.5)
    message.state = 1
    message.numbered = 3
    message.raw = b"ab"
    value = framed(4, b"\x02\x02" + message.SerializeToString())  # one number, which is 1: the second message of the file

    assert payload(MemorySchemas({4: PROTOBUF})).document(record(value)) == {
        "tags": {"host": "pump-7"},
        "others": {"pressure": 1.5},
        "temperature": 0.0,
        "measured": "2026-11-23T07:12:00.250000+00:00",
        "numbered": 3,
        "state": "ON",
        "parts": [{"speed": 0.5}],
        "count": 0,
        "raw": "YWI=",
    }


@pytest.mark.parametrize(
    ("place", "name", "expected"),
    [
        (b"\x00", "Other", {"number": 0}),  # short for the first message
        (b"\x02\x00", "Other", {"number": 0}),
        (b"\x04\x02\x00", "Reading.Part", {"speed": 0.0}),
    ],
)
def test_a_protobuf_record_says_which_message_of_its_file_it_is(place: bytes, name: str, expected: object) -> None:
    data = protobuf(PROTOBUF, name).SerializeToString()
    assert payload(MemorySchemas({4: PROTOBUF})).document(record(framed(4, place + data))) == expected


def test_json_with_a_schema_is_json() -> None:
    value = framed(5, b'{"sensor_id": "pump-7", "values": {"temperature": 61.5}}')
    expected = {"sensor_id": "pump-7", "values": {"temperature": 61.5}}
    assert payload(MemorySchemas({5: JSON_SCHEMA})).document(record(value)) == expected


def test_a_schema_may_be_named_by_its_guid_in_the_value_or_in_a_header() -> None:
    schemas = MemorySchemas({GUID: LONG, 3: LONG})
    in_value = record(b"\x01" + GUID.bytes + b"\x54")
    in_header = record(b"\x54", {"__value_schema_id": b"\x01" + GUID.bytes})
    number_in_header = record(b"\x54", {"__value_schema_id": framed(3, b"")})

    assert [payload(schemas).document(one) for one in (in_value, in_header, number_in_header)] == [42, 42, 42]


def test_a_header_holds_the_place_of_a_protobuf_message_too() -> None:
    part = protobuf(PROTOBUF, "Reading.Part")
    part.speed = 0.5
    found = record(part.SerializeToString(), {"__value_schema_id": b"\x01" + GUID.bytes + b"\x04\x02\x00"})
    assert payload(MemorySchemas({GUID: PROTOBUF})).document(found) == {"speed": 0.5}


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (b'{"sensor_id": "a"}', "wrong_format", "does not say its schema: found sensor_id"),
        (b"", "wrong_format", "does not say its schema"),
        (b"\x00\x00\x00", "wrong_format", "ends within the key"),
        (b"\x01\x00\x00\x00\x00", "wrong_format", "ends within the key"),
        (b"\x00\xff\xff\xff\xff\x00", "wrong_format", "names schema 4294967295"),
        (framed(9, b"x"), "schema_unknown", "the schema registry has no schema 9"),
        (framed(1, b"\x54"), "schema_unusable", "schema 1: its type is 'THRIFT'"),
        (framed(2, b"\x54"), "schema_unusable", "schema 2: the Avro schema cannot be used"),
        (framed(3, b"\x54\x00"), "wrong_format", "1 bytes are left"),
        (framed(3, b""), "wrong_format", "not of their Avro schema"),
        (framed(4, b"\x02\x7e" + b"x"), "wrong_format", "names message 63 of its schema"),
        (framed(4, b"\x00\xff"), "wrong_format", "no Protobuf message plant.Other"),
        (framed(4, b"\xff"), "wrong_format", "ends within the place"),
        (framed(4, b"\xfe\xff\xff\xff\x0f"), "wrong_format", "has 2147483647 numbers"),
        (framed(5, b"{"), "not_json", "Expecting property name"),
        (framed(6, b"\x00"), "schema_unusable", "the Protobuf schema cannot be used"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(value: bytes, reason: str, words: str) -> None:
    schemas = MemorySchemas(
        {
            1: Schema("THRIFT", ""),
            2: Schema("AVRO", '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "plant.Missing"}]}'),
            3: LONG,
            4: PROTOBUF,
            5: JSON_SCHEMA,
            6: Schema("PROTOBUF", "message {"),
        }
    )
    found = rejection(schemas, value)
    assert (found.reason, words in found.detail) == (reason, True), found.detail


def test_a_header_that_names_no_schema_is_said() -> None:
    found = rejection(MemorySchemas(), b"\x54", {"__value_schema_id": b"\x07abc"})
    assert found.detail == "its header __value_schema_id begins with a byte 7, not with 0 or 1"


def test_the_registry_is_asked_once_for_each_schema() -> None:
    schemas = MemorySchemas({3: LONG})
    reader = payload(schemas)
    for _ in range(3):
        reader.document(record(framed(3, b"\x54")))
    assert schemas.asked == [3]


def test_the_registry_is_asked_again_for_an_unknown_schema_after_a_while() -> None:
    schemas, clock = MemorySchemas(), Clock()
    reader = payload(schemas, clock)
    for seconds in (0.0, 30.0, 29.0):
        clock.advance(seconds)
        with pytest.raises(RejectionError):
            reader.document(record(framed(3, b"\x54")))
    asked_within_a_minute = list(schemas.asked)
    schemas.schemas[3] = LONG
    clock.advance(2.0)

    assert asked_within_a_minute == [3]
    assert reader.document(record(framed(3, b"\x54"))) == 42


def test_no_more_schemas_are_remembered_than_allowed_the_last_used_ones() -> None:
    schemas = MemorySchemas(dict.fromkeys(range(4), LONG))
    reader = payload(schemas, most=2)
    for number in (0, 1, 0, 2, 0, 1):
        reader.document(record(framed(number, b"\x54")))
    assert schemas.asked == [0, 1, 2, 1]


def test_a_registry_that_is_away_is_no_fault_of_the_record_and_is_soon_asked_again() -> None:
    schemas, clock = MemorySchemas({3: LONG}), Clock()
    schemas.is_away = True
    reader = payload(schemas, clock)
    for _ in range(5):
        with pytest.raises(RegistryUnavailableError):
            reader.document(record(framed(3, b"\x54")))
    schemas.is_away = False
    clock.advance(1.0)

    assert reader.document(record(framed(3, b"\x54"))) == 42
    assert schemas.asked == [3, 3]
