"""The wire format of Protobuf: where the fields of a message are in its bytes."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType

#: How a field stands in the bytes, by the lowest three bits of its tag.
VARINT, EIGHT, COUNTED, FOUR = 0, 1, 2, 5
_SIZES = MappingProxyType({EIGHT: 8, FOUR: 4})
_LAST, _BITS, _MOST = 0x80, 0x7F, 2**64 - 1  # a byte below the first is the last of its varint

#: Where the content of a field begins and ends.
Span = tuple[int, int]


@lru_cache(maxsize=4096)
def varint(content: bytes) -> int:
    """Return the number that these bytes are; 0 of no bytes; -1: they are no number, or more than one."""
    if not content:
        return 0
    number, end = varint_at(content, 0)
    return number if end == len(content) and content[-1] < _LAST else -1


def varint_at(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position, and where it ends; one that would go on beyond the data ends there."""
    number = shift = 0
    while position < len(data):
        byte = data[position]
        number |= (byte & _BITS) << shift
        shift, position = shift + 7, position + 1
        if byte < _LAST:
            break
    return number & _MOST, position


def spans(data: bytes, position: int) -> dict[tuple[int, int], Span] | None:
    """Return where the contents of the fields from a position on are, by number and kind; None if one comes twice."""
    found: dict[tuple[int, int], Span] = {}
    while position < len(data):
        tag, begin = varint_at(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            position = varint_at(data, begin)[1]
        elif kind == COUNTED:
            length, begin = varint_at(data, begin)
            position = begin + length
        elif kind in _SIZES:
            position = begin + _SIZES[kind]
        else:
            return None
        if any(number == known for known, _ in found):
            return None
        found[number, kind] = begin, position
    return found
