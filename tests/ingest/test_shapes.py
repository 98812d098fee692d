"""A record that is no reading is described: its names, and the tool whose shape it has."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ingest.shapes import explain_record
from tests.ingest.records import decode_one

SHAPES = [
    ("JSON of Telegraf", {"fields": {"flow": 1.5}, "name": "pump", "tags": {"host": "p-1"}, "timestamp": 1_800_000_000}),
    ("JSON of Telegraf, several metrics", {"metrics": [{"fields": {"flow": 1}, "name": "x", "tags": {}, "timestamp": 1}]}),
    ("a Sparkplug payload", {"timestamp": 1, "seq": 1, "metrics": [{"name": "flow", "datatype": "Float", "value": 1.5}]}),
    ("JSON of the Kepware IoT gateway", {"timestamp": 1, "values": [{"id": "C.D.flow", "v": 1.5, "q": True, "t": 1}]}),
    ("JSON of ThingsBoard", {"ts": 1, "values": {"flow": 1.5}}),
    ("JSON of ThingsBoard", {"pump-1": [{"ts": 1, "values": {"flow": 1.5}}]}),
    ("an OPC UA PubSub message", {"MessageId": "1", "MessageType": "ua-data", "Messages": [{"Payload": {"flow": 1}}]}),
    ("a change event of Debezium", {"before": None, "after": {"flow": 1}, "op": "c", "source": {}}),
    ("a change event of Debezium", {"schema": {}, "payload": {"before": None, "after": {"flow": 1}, "op": "c"}}),
    ("a record of Kafka Connect with its schema", {"schema": {"type": "struct"}, "payload": {"flow": 1}}),
    ("a CloudEvent", {"specversion": "1.0", "id": "1", "type": "t", "source": "s", "data": {"flow": 1}}),
    ("a message with topic and payload", {"topic": "plant/p-1/flow", "payload": "1.5"}),
    ("one value in a record", {"sensorId": "p-1", "timestamp": 1, "value": 1.5}),
]


@pytest.mark.parametrize(("name", "document"), SHAPES)
def test_a_shape_of_a_known_tool_is_named_with_what_was_found(name: str, document: dict[str, object]) -> None:
    (rejected,) = decode_one(json.dumps(document).encode()).rejected

    assert rejected.reason == "sensor_missing"
    assert f"it looks like {name}" in rejected.detail
    assert next(iter(document)) in rejected.detail
    assert "(docs/formats.md). A reading is {" in rejected.detail or "reads that. A reading is {" in rejected.detail
    assert len(rejected.detail) < 700


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (b"pump,host=p-1 flow=1.5,pressure=2i 1800000000000000000", "not_json", "the line protocol of InfluxDB"),
        (b"\x00\x00\x00\x00\x07\x0cpump-1", "not_json", "the wire format of a schema registry"),
        (b'[{"bn": "p-1", "n": "flow", "v": 1.5}]', "wrong_type", "it looks like SenML"),
        (b'[{"sensor_id": "p-1", "values": {"a": 1}}]', "wrong_type", "a list of readings: STREAM_DETECTOR_INPUT__VALUES"),
        (b'{"sensor_id": "p-1", "temperature": 61.2}', "values_missing", "there are no values; found sensor_id, temperature"),
        (b'{"sensor_id": "p-1", "values": [{"id": "x", "v": 1}]}', "wrong_type", "looks like JSON of the Kepware IoT gateway"),
        (b'{"deviceId": "p-1", "values": {"a": 1}}', "sensor_missing", "is it 'deviceId'? found deviceId, values (a)"),
    ],
)
def test_other_formats_are_named_too(value: bytes, reason: str, said: str) -> None:
    (rejected,) = decode_one(value).rejected

    assert rejected.reason == reason
    assert said in rejected.detail


@given(st.dictionaries(st.text(max_size=300), st.dictionaries(st.text(max_size=300), st.integers()), max_size=30))
def test_a_description_is_short_whatever_the_record_holds(document: dict[str, object]) -> None:
    assert len(explain_record(json.dumps(document).encode())) <= 400
