"""The wire format of schema registries: where a record says which schema its value has.

A value begins with a byte 0 and the schema's number [4 bytes, big endian], or with a byte 1 and its GUID [16 bytes]. Instead,
the header `__value_schema_id` may hold the same, and the value only the data. Behind the key, Protobuf has the place of the
message in its file: a count and as many numbers, as zigzag varints; a count of 0 stands for the first message.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.schemas import SchemaKey
from stream_detector.ingest.shapes import explain_record
from stream_detector.readings import Record

SCHEMA_HEADER = "__value_schema_id"
#: Greatest number of a schema: registries count with 31 bits.
MAXIMUM_NUMBER = 2**31 - 1
_NUMBER_BYTES, _GUID_BYTES = 4, 16
_LONGEST_VARINT = 10
_DEEPEST_MESSAGE = 32


class Framed(NamedTuple):
    """A value taken apart. If `is_in_header`, `behind_key` is the rest of the header and `data` the whole value."""

    key: SchemaKey
    behind_key: bytes
    data: bytes
    is_in_header: bool

    def message_place(self) -> tuple[tuple[int, ...], bytes]:
        """Return the place of a Protobuf message in its file, from the outside in, and the data of the message.

        Raises RejectionError.
        """
        place, read = _place(self.behind_key)
        return place, self.data if self.is_in_header else self.behind_key[read:]


def take_apart(record: Record) -> Framed:
    """Return which schema a record's value has, and its data. Raises RejectionError if the record does not say."""
    value = record.value or b""
    for name, content in record.headers:
        if name == SCHEMA_HEADER and content:
            key, length = _key(content, f"its header {SCHEMA_HEADER}")
            return Framed(key, content[length:], value, is_in_header=True)
    if value[:1] not in (b"\x00", b"\x01"):
        msg = (
            f"the value does not say its schema: {explain_record(value)}. Expected is the wire format of a schema registry: "
            f"a byte 0 and a schema number, a byte 1 and a GUID, or a header {SCHEMA_HEADER}"
        )
        raise RejectionError("wrong_format", msg)
    key, length = _key(value, "the value")
    return Framed(key, value[length:], value[length:], is_in_header=False)


def _key(content: bytes, where: str) -> tuple[SchemaKey, int]:
    """Return the key at the beginning of some bytes, and how many bytes it takes."""
    size = {0: _NUMBER_BYTES, 1: _GUID_BYTES}.get(content[0])
    if size is None:
        raise RejectionError("wrong_format", f"{where} begins with a byte {content[0]}, not with 0 or 1")
    found = content[1 : 1 + size]
    if len(found) < size:
        raise RejectionError("wrong_format", f"{where} ends within the key of its schema: {len(content)} bytes")
    if size == _GUID_BYTES:
        return UUID(bytes=found), 1 + size
    number = int.from_bytes(found, "big")
    if number > MAXIMUM_NUMBER:
        raise RejectionError("wrong_format", f"{where} names schema {number}; registries count to {MAXIMUM_NUMBER}")
    return number, 1 + size


def _place(content: bytes) -> tuple[tuple[int, ...], int]:
    """Return the place of a message and how many bytes it took."""
    count, at = _zigzag(content, 0)
    if not 0 <= count <= _DEEPEST_MESSAGE:
        raise RejectionError("wrong_format", f"the place of the message in its file has {count} numbers")
    place = list[int]()
    for _ in range(count):
        number, at = _zigzag(content, at)
        place.append(number)
    return tuple(place) or (0,), at


def _zigzag(content: bytes, at: int) -> tuple[int, int]:
    """Return the zigzag varint at a position, and the position after it."""
    number = 0
    for shift, byte in enumerate(content[at : at + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at + shift + 1
    raise RejectionError("wrong_format", "the value ends within the place of its message")
