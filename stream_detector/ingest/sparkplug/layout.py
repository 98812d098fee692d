"""The layout of a metric or a message: which of its bits stay the same, and where its values are."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from stream_detector.ingest.sparkplug.names import is_measured
from stream_detector.ingest.sparkplug.payload import BOOLEAN, GOOD, SIGNED, Metric, whole
from stream_detector.ingest.sparkplug.wire import COUNTED, EIGHT, FOUR, VARINT, Span, spans, varint

#: A message begins with its time, of six bytes from 1971 to 2109; the first metric stands behind.
FIRST_METRIC = 7
#: The fields of a metric that have a value: number and kind.
_VALUES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "int_value": (10, VARINT),
        "long_value": (11, VARINT),
        "float_value": (12, FOUR),
        "double_value": (13, EIGHT),
        "boolean_value": (14, VARINT),
        "string_value": (15, COUNTED),
        "bytes_value": (16, COUNTED),
        "dataset_value": (17, COUNTED),
        "template_value": (18, COUNTED),
    }
)
_VALUE_NUMBERS = range(10, 19)
_TIMESTAMP = (3, VARINT)
#: How struct reads contents; others are bytes.
_FORMATS: Mapping[int, str] = MappingProxyType({EIGHT: "d", FOUR: "f"})
#: The bits of a varint that stay the same: those that say whether a byte follows, and the tenth byte, which has one bit only.
_VARINT_BITS = b"\x80" * 9 + b"\xff"

#: Makes a value of its content; None: the content is the value.
Make = Callable[[Any], object] | None
#: Returns the contents that vary.
Contents = Callable[[bytes], tuple[Any, ...]]


class MetricLayout(NamedTuple):
    """The layout of a metric; the bits are numbers, the last byte is the lowest."""

    length: int
    mask: int  # of the bits that stay the same
    same: int  # these bits
    contents: Callable[[bytes, int], tuple[Any, ...]]  # of the metric at a position; raises struct.error beyond the end
    is_timed: bool
    name: str  # empty: it measures nothing, and has no contents
    make: Make
    form: str = ""  # how struct reads the time, if there is one, and the value


class MessageLayout(NamedTuple):
    """The layout of a message: its time, these metrics, its number. Either all metrics have a time or none has."""

    mask: int
    same: int
    contents: Contents
    is_timed: bool
    names: tuple[str, ...]
    makes: tuple[tuple[int, Callable[[Any], object]], ...]  # of the values that have to be made, by their places


def metric_layout(
    piece: bytes, begin: int, metric: Metric, names: Mapping[int, str], types: Mapping[str, int]
) -> MetricLayout | None:
    """Return the layout of a metric whose fields begin there; None: it has none. `names` and `types` are those of the birth."""
    name = metric.name or names.get(-1 if metric.alias is None else metric.alias)
    fields = spans(piece, begin)
    if not name or fields is None or sum(number in _VALUE_NUMBERS for number, _ in fields) > 1:
        return None
    datatype = types.get(name, 0)
    time_at, value_at = fields.get(_TIMESTAMP), fields.get(_VALUES[metric.kind]) if metric.kind else None
    mask = bytearray(b"\xff" * len(piece))
    for kind, at in ((VARINT, time_at), (_VALUES[metric.kind][1] if metric.kind else COUNTED, value_at)):
        if at is not None:
            length = at[1] - at[0]
            mask[slice(*at)] = _VARINT_BITS[:length] if kind == VARINT else bytes(length)
    read_at = value_at or (len(piece) - 1, len(piece))  # of a null, it does not matter what
    if (metric.kind and value_at is None) or (time_at and read_at[0] < time_at[1]):
        return None
    bits = int.from_bytes(mask)
    is_value = is_measured(name, metric.datatype or datatype)
    form = _form(len(piece), time_at, read_at, metric.kind) if is_value else f"{len(piece)}x"
    make = _make(metric, datatype)
    same = int.from_bytes(piece) & bits
    return MetricLayout(
        len(piece), bits, same, _unpacker(form), is_value and time_at is not None, name if is_value else "", make, form
    )


def message_layout(data: bytes, metrics: Sequence[MetricLayout], end: int) -> MessageLayout | None:
    """Return the layout of a message whose metrics end there; None: it has none."""
    measured = [one for one in metrics if one.name]
    if len({one.is_timed for one in measured}) != 1:
        return None
    mask, rest = 0xFF << 8 * (FIRST_METRIC - 1), len(data) - end
    for one in metrics:
        mask = mask << 8 * one.length | one.mask
    mask <<= 8 * rest
    form = f"x{FIRST_METRIC - 1}s{''.join(one.form for one in metrics)}{rest}s"
    makes = tuple((place, one.make) for place, one in enumerate(measured) if one.make is not None)
    same = int.from_bytes(data) & mask
    return MessageLayout(
        mask, same, struct.Struct(f"<{form}").unpack, measured[0].is_timed, tuple(one.name for one in measured), makes
    )


def _form(length: int, time_at: Span | None, value_at: Span, kind: str) -> str:
    time = f"{time_at[0]}x{time_at[1] - time_at[0]}s" if time_at else ""
    begin, end = value_at
    value = _FORMATS.get(_VALUES[kind][1] if kind else COUNTED, f"{end - begin}s")
    return f"{time}{begin - (time_at[1] if time_at else 0)}x{value}{length - end}x"


@lru_cache(maxsize=4096)
def _unpacker(form: str) -> Callable[[bytes, int], tuple[Any, ...]]:
    return struct.Struct(f"<{form}").unpack_from


def _make(metric: Metric, datatype: int) -> Make:
    """Return what makes a value of its content, as Metric.value makes it."""
    if not metric.kind or metric.quality not in (None, GOOD):
        always = metric.value(datatype)
        return lambda _: always
    if metric.kind in ("double_value", "float_value"):
        return None
    if metric.kind in ("int_value", "long_value"):
        said = metric.datatype or datatype
        return _whole_maker(said if said in SIGNED or said == BOOLEAN else 0, 32 if metric.kind == "int_value" else 64)
    if metric.kind == "boolean_value":
        return _boolean
    return lambda content: metric._replace(raw=content).value(datatype)


def _boolean(content: bytes) -> bool:
    return varint(content) > 0


@cache
def _whole_maker(datatype: int, bits: int) -> Callable[[bytes], object]:
    @lru_cache(maxsize=8192)
    def make(content: bytes) -> int | bool:
        return whole(varint.__wrapped__(content) & ((1 << bits) - 1), datatype, bits)

    return make
