"""Records in the wire format of a schema registry, for tests."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
from google.protobuf.message_factory import GetMessageClass

from stream_detector.ingest.protobuf_schema import compile_file
from stream_detector.ingest.schemas import Schema
from tests.fakes.memory_log import MemoryRecord

GUID = UUID("8ae3c5b0-1f0a-4c58-9d57-5e8f5a1d7c11")

TAGS = Schema(
    "AVRO", '{"type": "record", "name": "Tags", "namespace": "plant", "fields": [{"name": "host", "type": "string"}]}'
)
AVRO_FIELDS: list[dict[str, Any]] = [
    {"name": "tags", "type": "plant.Tags"},
    {"name": "measured", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "temperature", "type": ["null", "double"], "default": None},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
    {"name": "raw", "type": "bytes"},
    {"name": "mode", "type": {"type": "enum", "name": "Mode", "symbols": ["OFF", "ON"]}},
    {"name": "others", "type": {"type": "map", "values": "float"}},
    {"name": "series", "type": {"type": "array", "items": "int"}},
]
AVRO = Schema(
    "AVRO",
    json.dumps({"type": "record", "name": "Reading", "namespace": "plant", "fields": AVRO_FIELDS}),
    {"plant.Tags": TAGS},
)
PROTOBUF = Schema(
    "PROTOBUF",
    """
    syntax = "proto3";
    package plant;
    import "tags.proto";
    import "google/protobuf/timestamp.proto";
    message Other { int32 number = 1; }
    // a reading
    message Reading {
      map<string, double> others = 5;
      Tags tags = 1;
      double temperature = 2;
      google.protobuf.Timestamp measured = 3;
      optional int32 pressure = 4;
      oneof mode { string named = 6; int32 numbered = 7; }
      enum State { OFF = 0; ON = 1; }
      State state = 8;
      message Part { float speed = 1; }
      repeated Part parts = 9;
      int64 count = 10;
      bytes raw = 11;
    }
    """,
    {"tags.proto": Schema("PROTOBUF", 'syntax = "proto3"; package plant; message Tags { string host = 1; }')},
)


def framed(number: int, data: bytes) -> bytes:
    return struct.pack(">bI", 0, number) + data


def avro(schema: Schema, datum: object) -> bytes:
    """Encode a datum as a producer would."""
    named: dict[str, Any] = {}
    for _, one in schema.referred():
        fastavro.parse_schema(json.loads(one.text), named_schemas=named)
    parsed = fastavro.parse_schema(json.loads(schema.text), named_schemas=named)
    output = BytesIO()
    fastavro.schemaless_writer(output, parsed, datum)
    return output.getvalue()


def protobuf(schema: Schema, name: str) -> Any:  # noqa: ANN401 - the class of a message is made at run time
    """Return an empty message of a schema: Reading, or Reading.Part."""
    outer, *inner = name.split(".")
    descriptor = compile_file(schema).message_types_by_name[outer]
    for one in inner:
        descriptor = descriptor.nested_types_by_name[one]
    return GetMessageClass(descriptor)()


def record(value: bytes, headers: Mapping[str, bytes] | None = None) -> MemoryRecord:
    return MemoryRecord("readings", 0, 7, 1_800_000_000_000, b"pump-7", value, tuple((headers or {}).items()))
