"""Reads a dead letter back: why it became one, where its record was, and the record that is sent again after a fix.

dead_letters.py writes what this module reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.readings import Header, Message, Record

_PREFIX = "stream_detector."
#: The header of a record that was sent again: topic, partition and offset of its dead letter.
REPLAYED = "stream_detector.replayed_from"
UNKNOWN = "unknown"
#: The length of a value of which only the start was kept for a list.
SHOWN_OF = "stream_detector.shown_of"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of the dead-letter topic, with what its headers say about the record that could not be used."""

    record: Record
    reason: str
    detail: str
    topic: str  # of the origin; "" if unknown, as are the next three if negative
    partition: int
    offset: int
    timestamp: int
    value_bytes: int  # length of the value, before it was cut
    cut_bytes: int  # the same; 0: it is whole
    cut_key_bytes: int
    headers_dropped: int

    @property
    def cannot_return(self) -> str:
        """Why the record cannot be sent again; "" if it can."""
        if self.topic == "":
            return "it does not say which record it was"
        if self.cut_bytes:
            return f"its value was cut, it had {self.cut_bytes:,} bytes"
        if self.cut_key_bytes:
            return f"its key was cut, it had {self.cut_key_bytes:,} bytes"
        return ""


def read_dead_letter(record: Record) -> DeadLetter:
    """Read the headers of any record: what does not come from us has the reason `unknown`."""
    ours = {name.removeprefix(_PREFIX): content or b"" for name, content in record.headers if name.startswith(_PREFIX)}
    text = {name: content.decode(errors="replace") for name, content in ours.items()}
    return DeadLetter(
        record=record,
        reason=text.get("reason") or UNKNOWN,
        detail=text.get("detail", ""),
        topic=text.get("topic", ""),
        partition=_number(text.get("partition")),
        offset=_number(text.get("offset")),
        timestamp=_number(text.get("timestamp")),
        value_bytes=max(len(record.value or b""), _number(text.get("value_bytes")), _number(text.get("shown_of"))),
        cut_bytes=max(0, _number(text.get("value_bytes"))),
        cut_key_bytes=max(0, _number(text.get("key_bytes"))),
        headers_dropped=max(0, _number(text.get("headers_dropped"))),
    )


def returned(letter: DeadLetter, topic: str) -> Message:
    """Return the record as it is sent again: its key, value and headers, without ours, and where it comes from."""
    record = letter.record
    origin = f"{record.topic} {record.partition} {record.offset}"
    return Message(topic, record.key, record.value, (*_own(record.headers), (REPLAYED, origin.encode())))


def _own(headers: Sequence[Header]) -> list[Header]:
    return [header for header in headers if not header[0].startswith(_PREFIX)]


def _number(text: str | None) -> int:
    try:
        return int(text) if text is not None and len(text) < 20 else -1
    except ValueError:
        return -1
