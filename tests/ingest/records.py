"""Records for the tests of the decoder, and a decoder of features a and b."""

from __future__ import annotations

import json

from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.readings import Decoded
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
