"""The native format: a record is one reading, as ingest/document.py has it."""

from __future__ import annotations

import msgspec

from stream_detector.ingest.document import Document, RejectionError
from stream_detector.ingest.lenient_json import read_leniently
from stream_detector.ingest.record_shape import RawReading
from stream_detector.readings import Record


def read_document(value: bytes) -> Document:
    """Return the reading in a record's value, with values of any type; raise RejectionError if it holds none."""
    try:
        return _DECODER.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return read_leniently(value)


class NativeShape:
    """Reads records of the native format. Implements RecordShape."""

    def read(self, record: Record) -> list[RawReading]:
        """See RecordShape."""
        reading = read_document(record.value or b"")
        if not reading.values:
            raise RejectionError("values_missing", "values is empty")
        return [RawReading(reading.sensor_id, reading.timestamp, reading.values)]


_DECODER = msgspec.json.Decoder(Document)
