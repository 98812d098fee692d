"""Reads Protobuf messages, by a schema or by the class of a message.

The names are those of the .proto file. A field that the producer did not set is absent; a number without presence that was not
written is its default, because a producer that measures 0 writes nothing. Enumerated values become their names, a Timestamp
ISO 8601, a Duration seconds, a wrapper its value, bytes base64.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.protobuf_schema import compile_file
from stream_detector.ingest.schemas import Schema
from stream_detector.ingest.wire_format import Framed

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

#: A message, or a value in one: their classes are made at run time.
_Protobuf: TypeAlias = Any
_WRAPPERS = {
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
}
_OF_JSON = {"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"}
_LEFT_OUT = {"google.protobuf.Any"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError)
#: Numbers of google.protobuf.FieldDescriptorProto.Type.
_BYTES, _ENUM, _MESSAGE = 12, 14, 11


def protobuf_reader(schema: Schema) -> Callable[[Framed], object]:
    """Return what turns values of this schema into documents; it raises RejectionError for others.

    Raises RejectionError if the schema cannot be used.
    """
    from google.protobuf.message_factory import GetMessageClass

    try:
        file = compile_file(schema)
    except Exception as error:  # noqa: BLE001 - the parser of .proto files does not say what it raises
        detail = f"the Protobuf schema cannot be used: {_shown(error)}"
        raise RejectionError("schema_unusable", detail) from None
    readers: dict[tuple[int, ...], Callable[[bytes], object]] = {}

    def read(framed: Framed) -> object:
        place, data = framed.message_place()
        reader = readers.get(place)
        if reader is None:
            reader = message_reader(GetMessageClass(_message(file, place)))
            readers[place] = reader
        return reader(data)

    return read


def message_reader(message_class: Callable[[], Any]) -> Callable[[bytes], object]:
    """Return what turns the data of one kind of message into a document. It raises RejectionError."""
    from google.protobuf.message import DecodeError

    def read(data: bytes) -> object:
        message = message_class()
        try:
            message.ParseFromString(data)
            return document_of(message)
        except (DecodeError, *_ERRORS) as error:
            what = message.DESCRIPTOR.full_name
            detail = f"the data are no Protobuf message {what}: {_shown(error)}"
            raise RejectionError("wrong_format", detail) from None

    return read


def _message(file: FileDescriptor, place: tuple[int, ...]) -> Descriptor:
    """Return the message at a place of a file. Raises RejectionError if there is none."""
    inner: Any = list(file.message_types_by_name.values())
    found: Any = None
    for number in place:
        if not 0 <= number < len(inner):
            detail = f"the record names message {'.'.join(map(str, place))} of its schema, which has none there"
            raise RejectionError("wrong_format", detail)
        found = inner[number]
        inner = found.nested_types
    return found  # type: ignore[no-any-return]  # the library's descriptors have two kinds of list


def document_of(message: _Protobuf) -> object:
    """Return a message as a document. Raises ValueError for a time that is none. Protobuf nests at most 100 deep."""
    name = message.DESCRIPTOR.full_name
    if name.startswith("google.protobuf."):
        return _well_known(message, name)
    document: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            document[field.name] = _repeated(getattr(message, field.name), field)
        elif not field.has_presence or message.HasField(field.name):
            document[field.name] = _single(getattr(message, field.name), field)
    return document


def _repeated(values: _Protobuf, field: FieldDescriptor) -> object:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        value_field = entry.fields_by_name["value"]
        return {_key(key): _single(values[key], value_field) for key in values}
    return [_single(value, field) for value in values]


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _single(value: _Protobuf, field: FieldDescriptor) -> object:
    if field.type == _MESSAGE:
        return document_of(value)
    if field.type == _BYTES:
        return b64encode(value).decode()
    if field.type == _ENUM and field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return value if named is None else named.name
    return value


def _well_known(message: _Protobuf, name: str) -> object:
    if name == "google.protobuf.Timestamp":
        return _moment(message.seconds, message.nanos)
    if name == "google.protobuf.Duration":
        return message.seconds + message.nanos / 1e9
    if name in _WRAPPERS:
        return b64encode(message.value).decode() if isinstance(message.value, bytes) else message.value
    if name in _OF_JSON:
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(message)
    if name in _LEFT_OUT:
        return {"@type": message.type_url}
    return {field.name: str(value) for field, value in message.ListFields()}


def _moment(seconds: int, nanos: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)).isoformat()


def _shown(error: BaseException) -> str:
    return f"{str(error)[:200] or type(error).__name__}"
