"""Reads the Protobuf message of Sparkplug B: the fields that readings need. Needs the package protobuf.

All other fields are skipped. Text is read as bytes and decoded here, so that a text that is none is no error of the library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.quality import bad_value

#: Numbers of google.protobuf.FieldDescriptorProto.Type.
_DOUBLE, _FLOAT, _UINT64, _BOOL, _MESSAGE, _BYTES, _UINT32 = 1, 2, 4, 8, 11, 12, 13
_OPTIONAL, _REPEATED = 1, 3
_REPEATED_BYTES = -_BYTES
_PACKAGE = "stream_detector.sparkplug"
#: Message -> fields: name, number, type; a message's name as type: a list of these; a negative type: a list.
_MESSAGES: Mapping[str, tuple[tuple[str, int, int | str], ...]] = MappingProxyType(
    {
        "Payload": (("timestamp", 1, _UINT64), ("metrics", 2, "Metric"), ("seq", 3, _UINT64)),
        "Metric": (
            ("name", 1, _BYTES),
            ("alias", 2, _UINT64),
            ("timestamp", 3, _UINT64),
            ("datatype", 4, _UINT32),
            ("is_historical", 5, _BOOL),
            ("is_null", 7, _BOOL),
            ("properties", 9, "PropertySet"),
            ("int_value", 10, _UINT32),
            ("long_value", 11, _UINT64),
            ("float_value", 12, _FLOAT),
            ("double_value", 13, _DOUBLE),
            ("boolean_value", 14, _BOOL),
            ("string_value", 15, _BYTES),
            ("bytes_value", 16, _BYTES),
            ("dataset_value", 17, _BYTES),
            ("template_value", 18, _BYTES),
        ),
        "PropertySet": (("keys", 1, _REPEATED_BYTES), ("values", 2, "PropertyValue")),
        "PropertyValue": (("is_null", 2, _BOOL), ("int_value", 3, _UINT32), ("long_value", 4, _UINT64)),
    }
)
#: Fields of which a message has one only, though their type is a message.
_SINGLE = ("properties",)
#: The property that says how good a value is: 192 good, 0 bad, 500 stale.
_QUALITY, GOOD = "Quality", 192
#: Numbers from here on are those of the value, of which a metric has one.
_FIRST_VALUE = 10
#: Data types of signed whole numbers, which are in unsigned fields, and their bits.
SIGNED: Mapping[int, int] = MappingProxyType({1: 8, 2: 16, 3: 32, 4: 64})
BOOLEAN = 11
_NOT_PLAIN = ("bytes_value", "dataset_value", "template_value")


class Metric(NamedTuple):
    """A metric of a message, as it was sent."""

    name: str  # empty: only an alias was sent
    alias: int | None
    timestamp: int  # milliseconds since 1970; 0: that of the message
    datatype: int  # 0: it was not sent
    kind: str  # the field that has the value; empty: null
    raw: Any
    quality: int | None = None  # a property; None: it was not sent

    def value(self, datatype: int) -> object:
        """Return the value by its own data type, or else by this one, as JSON could hold it; None: missing."""
        if not self.kind:
            return None
        if self.quality not in (None, GOOD):
            return bad_value(self.quality)
        datatype = self.datatype or datatype
        if self.kind in ("int_value", "long_value"):
            return whole(self.raw, datatype, 32 if self.kind == "int_value" else 64)
        if self.kind == "string_value":
            return self.raw.decode(errors="replace")
        return {self.kind.removesuffix("_value"): len(self.raw)} if self.kind in _NOT_PLAIN else self.raw


def whole(raw: int, datatype: int, bits: int) -> int | bool:
    """Return the number that an unsigned field of 32 or 64 bits means by its data type."""
    if datatype == BOOLEAN:
        return bool(raw)
    bits = min(bits, SIGNED.get(datatype, 0))
    if not bits:
        return raw
    raw &= (1 << bits) - 1
    return raw - (1 << bits) if raw >> (bits - 1) else raw


@dataclass(frozen=True, slots=True)
class SparkplugPayload:
    """A message."""

    timestamp: int  # milliseconds since 1970; 0: none
    seq: int | None
    metrics: tuple[Metric, ...]


@cache
def payload_reader() -> Callable[[bytes], SparkplugPayload]:
    """Return what reads messages; it raises RejectionError for other bytes. Raises ImportError without the package protobuf."""
    from google.protobuf.message import DecodeError

    message_class = payload_class()

    def read(data: bytes) -> SparkplugPayload:
        message = message_class()
        try:
            message.ParseFromString(data)
            metrics = tuple([_metric(one) for one in message.metrics])
        except (DecodeError, UnicodeDecodeError) as error:
            raise RejectionError("wrong_format", f"the data are no Sparkplug B payload: {str(error)[:200]}") from None
        return SparkplugPayload(message.timestamp, message.seq if message.HasField("seq") else None, metrics)

    return read


def _metric(message: Any) -> Metric:  # noqa: ANN401 - the class is made at run time
    kind = None if message.is_null else message.WhichOneof("value")
    return Metric(
        message.name.decode(),
        message.alias if message.HasField("alias") else None,
        message.timestamp,
        message.datatype,
        kind or "",
        getattr(message, kind) if kind else None,
        _quality(message.properties) if message.HasField("properties") else None,
    )


def _quality(properties: Any) -> int | None:  # noqa: ANN401 - the class is made at run time
    """Return the quality that stands beside a value."""
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == _QUALITY.encode() and not value.is_null:
            return int(value.int_value if value.HasField("int_value") else value.long_value)
    return None


def payload_class() -> Any:  # noqa: ANN401 - it is made at run time
    """Return the class of the message."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    file = FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        message.oneof_decl.add(name="value")
        for name, number, kind in fields:
            inner = f".{_PACKAGE}.{kind}" if isinstance(kind, str) else None
            is_list = (inner and name not in _SINGLE) or (isinstance(kind, int) and kind < 0)
            field = message.field.add(name=name, number=number, label=_REPEATED if is_list else _OPTIONAL, type_name=inner)
            field.MergeFrom(type(field)(type=_MESSAGE if isinstance(kind, str) else abs(kind)))  # type: ignore[arg-type]  # the stubs want another
            if message_name == "Metric" and number >= _FIRST_VALUE:
                field.oneof_index = 0
        if message_name != "Metric":
            del message.oneof_decl[:]
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
