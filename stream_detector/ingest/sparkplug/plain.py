"""Reads most messages of data in half the time: known names or aliases, numbers or null, no property.

What it reads is what payload.py and shape.py read; where it is not sure, it says so, and they read the message in full.
An object of the library costs much, and so does asking it which fields were sent. So a field that was not sent has here
a value that hardly any message has: a message that does have it is read in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from math import nan
from types import MappingProxyType
from typing import Any

from stream_detector.ingest.sparkplug.births import Birth
from stream_detector.ingest.sparkplug.names import is_measurement
from stream_detector.ingest.sparkplug.payload import BOOLEAN, payload_class, whole

#: Values of fields that were not sent. No number of a message is 2**64 - 1, and a measured value hardly ever one of these.
_NO_NUMBER, _NO_INT, _NO_LONG = 2**64 - 1, 0x9E3779B9, 0x9E3779B97F4A7C15
_NOT_SENT: Mapping[str, str] = MappingProxyType(
    {
        "alias": str(_NO_NUMBER),
        "seq": str(_NO_NUMBER),
        "int_value": str(_NO_INT),
        "long_value": str(_NO_LONG),
        "float_value": "nan",
        "double_value": "nan",
    }
)
_FLOAT, _DOUBLE, _DATETIME = 9, 10, 13
_WHOLE = range(1, 9)  # data types of whole numbers
_ALIKE = 128  # whole numbers below are the same in all data types


#: The number of a plain message, which is none if it was not sent, and its values by name, by milliseconds since 1970; 0: none.
Plain = tuple[int, Mapping[int, Mapping[str, object]]]


@cache
def plain_reader() -> Callable[[bytes, Birth], Plain | None]:
    """Return what reads plain messages by the birth that decides; None: the message is not plain.

    Raises ImportError without the package protobuf.
    """
    from google.protobuf.message import DecodeError

    parse: Callable[[bytes], Any] = payload_class(_NOT_SENT, has_packed_properties=True).FromString

    def read(data: bytes, birth: Birth) -> Plain | None:
        try:
            message = parse(data)
        except DecodeError:
            return None
        rows = _rows(message, birth.measured or _measured(birth), birth.types)
        return (message.seq, rows) if rows else None

    return read


def _rows(message: Any, names: Mapping[int, str], types: Mapping[str, int]) -> dict[int, dict[str, object]] | None:  # noqa: ANN401 - the class is made at run time
    rows: dict[int, dict[str, object]] = {}
    row: dict[str, object] = {}
    newest = -1
    for metric in message.metrics:
        sent = metric.name
        name = _name(sent) if sent else names.get(metric.alias)
        if not name or metric.properties:
            return None
        datatype = metric.datatype or types.get(name, 0)
        if metric.is_null:
            value = nan if datatype == _DATETIME else None
        elif datatype == _DOUBLE:
            value = metric.double_value
        elif datatype == _FLOAT:
            value = metric.float_value
        else:
            value = _other_number(metric, datatype)
        if value != value:  # noqa: PLR0124 - the fastest test for NaN: the value was not sent, or is no number
            return None
        time = metric.timestamp
        if time != newest:
            newest, row = time, rows.setdefault(time or message.timestamp, {})
        row[name] = value
    return rows


def _other_number(metric: Any, datatype: int) -> float:  # noqa: ANN401 - the class is made at run time
    """Return a whole number or a boolean; NaN if the metric is none."""
    if datatype in _WHOLE:
        raw, bits = metric.int_value, 32
        if raw == _NO_INT:
            raw, bits = metric.long_value, 64
        if raw == _NO_LONG:
            return nan
        return raw if raw < _ALIKE else whole(raw, datatype, bits)
    if datatype == BOOLEAN and metric.WhichOneof("value") == "boolean_value":
        return metric.boolean_value  # type: ignore[no-any-return]  # the class is made at run time
    return nan


def _measured(birth: Birth) -> Mapping[int, str]:
    """Remember in a birth which aliases are of measurements; return them."""
    birth.measured.update(
        {alias: name for alias, name in birth.names.items() if alias != _NO_NUMBER and name and is_measurement(name)}
    )
    return birth.measured


@lru_cache(maxsize=65_536)
def _name(sent: bytes) -> str | None:
    """Return the name of a measurement; None: it is none, or no text."""
    try:
        name = sent.decode()
    except UnicodeDecodeError:
        return None
    return name if is_measurement(name) else None
