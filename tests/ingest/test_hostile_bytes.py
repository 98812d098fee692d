"""Whatever bytes a record holds, reading it ends soon, takes little memory, and fails with a RejectionError only."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.influx_shape import InfluxShape
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.otlp_shape import OtlpShape
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.registry_payload import RegistryPayload
from stream_detector.ingest.schemas import Schema, SchemaKey
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.ingest.sparkplug.shape import SparkplugShape
from tests.fakes.clock import Clock
from tests.fakes.memory_schemas import MemorySchemas
from tests.ingest.registry_records import AVRO, GUID, PROTOBUF, framed, record
from tests.ingest.sparkplug_messages import BOOLEAN, INT8, INT16, INT32, INT64, message, metric, payload

STRING = Schema("AVRO", '"string"')
NUMBERS = Schema("AVRO", '{"type": "array", "items": "int"}')
DECIMAL = Schema("AVRO", '{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}')
SCHEMAS: dict[SchemaKey, Schema] = {
    1: AVRO,
    2: PROTOBUF,
    3: Schema("JSON", "{}"),
    4: NUMBERS,
    5: STRING,
    6: DECIMAL,
    GUID: AVRO,
}
REGISTRY = RegistryPayload(MemorySchemas(SCHEMAS), Clock())
BYTES = st.binary(max_size=300)
WIRE = st.builds(
    lambda number, place, rest: framed(number, place + rest),
    st.integers(1, 6),
    st.sampled_from((b"", b"\x00", b"\x02\x02")),
    BYTES,
)
LINES = st.text('abc,= "\\\n#.-+0123456789eiut', max_size=200).map(str.encode)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("resourceMetrics", "scopeMetrics", "metrics", "gauge", "sum", "dataPoints", "name", "attributes", "value")
            ),
            inner,
            max_size=4,
        )
    ),
)


def outcome(read: Callable[[], object]) -> str:
    """Return how a reading ended. Any other error than a rejection fails the test."""
    try:
        read()
    except RejectionError as rejection:
        return rejection.reason
    return "read"


@settings(deadline=None)  # the first record of a schema compiles it
@given(BYTES | WIRE, st.none() | BYTES)
def test_any_bytes_of_a_schema_registry(value: bytes, header: bytes | None) -> None:
    outcome(lambda: REGISTRY.document(record(value, {} if header is None else {"__value_schema_id": header})))


@given(BYTES | LINES)
def test_any_bytes_as_line_protocol(value: bytes) -> None:
    outcome(lambda: InfluxShape().read(record(value)))


@given(BYTES | BYTES.map(lambda rest: b"\n" + rest) | JSON.map(lambda document: json.dumps(document).encode()))
def test_any_bytes_as_opentelemetry_metrics(value: bytes) -> None:
    outcome(lambda: OtlpShape().read(record(value)))


NAMES = st.sampled_from(("a", "b", "", "bdSeq", "Node Control/Rebirth", "\ud7ff"))
METRICS = st.builds(
    metric,
    NAMES,
    st.none() | st.integers(0, 2**64 - 1) | st.binary(max_size=9) | st.text(max_size=9),
    alias=st.none() | st.integers(0, 3) | st.just(2**64 - 1),
    datatype=st.sampled_from((INT8, INT16, INT32, INT64, BOOLEAN, 12, 0, 16, 19, 99)),
    at_ms=st.sampled_from((0, 1, 1_795_417_920_000, 2**64 - 1)),
    quality=st.none() | st.integers(0, 600),
)
KINDS = st.sampled_from(("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH", "NCMD"))
PAYLOADS = st.builds(payload, st.lists(METRICS, max_size=4), seq=st.none() | st.integers(0, 300))
DAMAGED = st.builds(
    lambda data, at, other: data[:at] + other + data[at + 1 :], PAYLOADS, st.integers(0, 60), st.binary(max_size=2)
)


@given(st.lists(st.tuples(KINDS, st.sampled_from(("n", "n/d", "m")), BYTES | PAYLOADS | DAMAGED), max_size=8))
def test_any_bytes_as_sparkplug_messages(messages: list[tuple[str, str, bytes]]) -> None:
    decoder = ShapedDecoder(("a", "b"), InputLimits(), InputReader(SparkplugShape()))
    records = [
        dataclasses.replace(message(f"g/{kind}/{name}"), value=value or b"x", offset=at)
        for at, (kind, name, value) in enumerate(messages)
    ]
    once, again = decoder.decode(records), decoder.decode(records)

    assert len(once) == len(records)
    assert (once.rejected, once.readings.sensors) == (again.rejected, again.readings.sensors)
    assert decoder.memory is not None
    kept = dict(decoder.memory.unsaved(0, len(records)))
    decoder.memory.restore(0, kept, "")
    assert decoder.decode(records).rejected == once.rejected


def test_a_topic_of_any_text_is_read_soon() -> None:
    for text in (b"spBv1.0" * 500, b"spBv1.0.a.NDATA" * 250, b"spBv1.0/a/NDATA/" * 250, b"spBv1.0." + b"._-" * 1300):
        outcome(lambda text=text: SparkplugShape().read(dataclasses.replace(message("x"), headers=(), key=text)))  # type: ignore[misc]  # a default


def zigzag(number: int) -> bytes:
    """Encode a number as Avro does."""
    rest, output = (number << 1) ^ (number >> 63), bytearray()
    while rest > 0x7F:
        output.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*output, rest])


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (5, zigzag(2**62) + b"ab"),  # a text of 4 EiB
        (5, zigzag(-3) + b"ab"),
        (4, zigzag(2**62) + b"\x02\x02"),  # as many numbers
        (4, zigzag(-(2**62)) + zigzag(2**40) + b"\x02"),
        (6, zigzag(60_000) + b"\x7f" * 60_000),  # a decimal of 144,000 digits
    ],
)
def test_counts_and_lengths_that_the_data_do_not_have_take_no_memory(number: int, data: bytes) -> None:
    tracemalloc.start()
    try:
        assert outcome(lambda: REGISTRY.document(record(framed(number, data)))) == "wrong_format"
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "array", "items": "null"}, "an array of items that take no bytes"),
        ({"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}}, "an array of items that take no bytes"),
        ({"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}}, "an array of items that take no bytes"),
        (
            {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]},
            "Node refers to itself",
        ),
        ({"type": "record", "name": "R"}, "a record without fields"),
        (7, "schema_unusable"),
    ],
)
def test_an_avro_schema_of_which_few_bytes_could_make_endless_work_is_refused(schema: object, words: str) -> None:
    payload = RegistryPayload(MemorySchemas({1: Schema("AVRO", json.dumps(schema))}), Clock())
    with pytest.raises(RejectionError) as caught:
        payload.document(record(framed(1, b"\x00" * 20)))
    assert caught.value.reason == "schema_unusable"
    assert words in f"{caught.value.reason} {caught.value.detail}"


def test_an_avro_schema_that_doubles_with_each_name_is_refused() -> None:
    kind: object = "null"
    for depth in range(40):
        inner = {"type": "record", "name": f"R{depth}", "fields": [{"name": "a", "type": kind}]}
        inner["fields"].append({"name": "b", "type": kind if isinstance(kind, str) else f"R{depth - 1}"})  # type: ignore[attr-defined]  # a list
        kind = inner
    payload = RegistryPayload(MemorySchemas({1: Schema("AVRO", json.dumps(kind))}), Clock())
    with pytest.raises(RejectionError, match="more than 20000 parts"):
        payload.document(record(framed(1, b"")))


def test_a_protobuf_message_nested_deeper_than_any_is_refused() -> None:
    schema = Schema("PROTOBUF", 'syntax = "proto3"; message Node { Node next = 1; }')
    payload = RegistryPayload(MemorySchemas({1: schema}), Clock())
    data = b""
    for _ in range(5000):
        length, size = len(data), bytearray()
        while length > 0x7F:
            size.append(length & 0x7F | 0x80)
            length >>= 7
        data = b"\x0a" + bytes([*size, length]) + data
    assert outcome(lambda: payload.document(record(framed(1, b"\x00" + data)))) == "wrong_format"


@pytest.mark.parametrize(
    "value", [b"[" * 60_000, b'{"resourceMetrics":' * 3000, b'{"resourceMetrics": [{"resource": ' + b"[" * 50_000]
)
def test_deeply_nested_json_is_refused(value: bytes) -> None:
    assert outcome(lambda: OtlpShape().read(record(value))) == "not_json"


@pytest.mark.parametrize("value", [b"\\" * 60_000, b"a,b=" * 15_000, b'm f="' + b"\\\\" * 30_000, b"m " + b"f=1," * 15_000])
def test_a_line_of_the_line_protocol_that_does_not_end_well_is_refused(value: bytes) -> None:
    assert outcome(lambda: InfluxShape().read(record(value))) == "wrong_format"
