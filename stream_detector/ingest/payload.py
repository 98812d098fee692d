"""Turns the value of a record into a document: what JSON can hold, whatever the bytes are."""

from __future__ import annotations

from typing import Protocol

import msgspec

from stream_detector.ingest.lenient_json import parse_json
from stream_detector.readings import Record


class Payload(Protocol):
    """Reads the value of a record."""

    def document(self, record: Record) -> object:
        """Return what a record's value holds, as dicts, lists, text, numbers, booleans and None.

        Raises RejectionError (ingest/document.py) if the value is not of this format.
        """


class JsonPayload:
    """Reads JSON. Implements Payload."""

    def document(self, record: Record) -> object:
        """See Payload."""
        value = record.value or b""
        try:
            return _DECODER.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return parse_json(value)


_DECODER = msgspec.json.Decoder()
