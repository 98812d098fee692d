"""Makes descriptors of the text of .proto files, as a schema registry keeps them. What is no part of the data is left out."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from stream_detector.ingest.schemas import Schema

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto

#: A part of a parsed file, of which the parser has many kinds.
_Parsed: TypeAlias = Any

#: The numbers of google.protobuf.FieldDescriptorProto.Type.
_SCALARS: Mapping[str, int] = MappingProxyType(
    {
        "double": 1,
        "float": 2,
        "int64": 3,
        "uint64": 4,
        "int32": 5,
        "fixed64": 6,
        "fixed32": 7,
        "bool": 8,
        "string": 9,
        "bytes": 12,
        "uint32": 13,
        "sfixed32": 15,
        "sfixed64": 16,
        "sint32": 17,
        "sint64": 18,
    }
)
_MESSAGE = 11
_OPTIONAL, _REQUIRED, _REPEATED = 1, 2, 3
_ROOT_NAME = "the-schema-of-the-record.proto"
#: Files that every compiler of .proto files brings.
_WELL_KNOWN = ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers")


def compile_file(schema: Schema) -> FileDescriptor:
    """Return the descriptor of a schema's file. Raises ValueError or TypeError. Needs protobuf and proto-schema-parser."""
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    well_known = _well_known()
    for proto in well_known.values():
        pool.Add(proto)
    added = set(well_known)
    for name, one in schema.referred():
        if name not in added:
            added.add(name)
            pool.Add(_file(name, one.text))
    pool.Add(_file(_ROOT_NAME, schema.text))
    return pool.FindFileByName(_ROOT_NAME)


def _well_known() -> dict[str, FileDescriptorProto]:
    from importlib import import_module

    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    files = {}
    for name in _WELL_KNOWN:
        module = import_module(f"google.protobuf.{name}_pb2")
        files[f"google/protobuf/{name}.proto"] = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    return files


def _file(name: str, text: str) -> FileDescriptorProto:
    """Return the descriptor of a file's text, or of a descriptor in base64, which registries may keep instead."""
    from google.protobuf.descriptor_pb2 import Edition, FileDescriptorProto
    from google.protobuf.message import DecodeError
    from proto_schema_parser.ast import Enum, Import, Message, Package
    from proto_schema_parser.parser import Parser

    if not {"{", ";"} & set(text):
        try:
            file = FileDescriptorProto.FromString(b64decode(text, validate=True))
        except (ValueError, DecodeError):
            msg = "it is neither a .proto file nor the descriptor of one"
            raise ValueError(msg) from None
        file.name = name
        return file
    parsed = Parser().parse(text)
    syntax = parsed.syntax or ("editions" if parsed.edition else "proto2")
    file = FileDescriptorProto(name=name, syntax=syntax)
    if parsed.edition:
        file.edition = Edition.Value(f"EDITION_{parsed.edition}")
    for element in parsed.file_elements:
        if isinstance(element, Package):
            file.package = element.name
        elif isinstance(element, Import):
            if element.public:
                file.public_dependency.append(len(file.dependency))
            file.dependency.append(element.name)
        elif isinstance(element, Message):
            _add_message(file.message_type.add(), element, is_proto3=syntax == "proto3")
        elif isinstance(element, Enum):
            _add_enum(file.enum_type.add(), element)
    return file


def _add_message(message: DescriptorProto, parsed: _Parsed, *, is_proto3: bool) -> None:
    """Fill a message. The messages that stand for maps come after the others: producers do not count them."""
    from proto_schema_parser.ast import Enum, Field, Group, MapField, Message, OneOf

    message.name = parsed.name
    for element in parsed.elements:
        if isinstance(element, Message):
            _add_message(message.nested_type.add(), element, is_proto3=is_proto3)
        elif isinstance(element, Enum):
            _add_enum(message.enum_type.add(), element)
    presences = list[Any]()
    for element in parsed.elements:
        if isinstance(element, Field):
            field = _add_field(message, element)
            if is_proto3 and element.cardinality == "OPTIONAL":
                field.proto3_optional = True
                presences.append(field)
        elif isinstance(element, MapField):
            _add_map(message, element)
        elif isinstance(element, OneOf):
            place = len(message.oneof_decl)
            message.oneof_decl.add(name=element.name)
            for one in element.elements:
                if isinstance(one, Field):
                    _add_field(message, one).oneof_index = place
        elif isinstance(element, Group):
            msg = f"it has a group, {element.name}; groups are not read"
            raise ValueError(msg)
    for field in presences:  # protobuf wants these after the others
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


def _add_field(message: DescriptorProto, parsed: _Parsed) -> FieldDescriptorProto:
    label = {"REQUIRED": _REQUIRED, "REPEATED": _REPEATED}.get(getattr(parsed.cardinality, "value", ""), _OPTIONAL)
    field = message.field.add(name=parsed.name, number=parsed.number, label=label)
    _set_type(field, parsed.type)
    for option in parsed.options:
        if option.name == "packed" and isinstance(option.value, bool):
            field.options.packed = option.value
    return field


def _set_type(field: FieldDescriptorProto, name: str) -> None:
    """Set the type of a field; whether another name is that of a message or of an enum, protobuf finds out."""
    if name in _SCALARS:
        field.MergeFrom(type(field)(type=_SCALARS[name]))  # type: ignore[arg-type]  # the stubs want a type of their own
    else:
        field.type_name = name


def _add_map(message: DescriptorProto, parsed: _Parsed) -> None:
    """Add a map, which is a list of messages with a key and a value."""
    name = "".join(part[:1].upper() + part[1:] for part in parsed.name.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    for number, (part, kind) in enumerate((("key", parsed.key_type), ("value", parsed.value_type)), start=1):
        _set_type(entry.field.add(name=part, number=number, label=_OPTIONAL), kind)
    message.field.add(name=parsed.name, number=parsed.number, label=_REPEATED, type=_MESSAGE, type_name=name)


def _add_enum(enum: EnumDescriptorProto, parsed: _Parsed) -> None:
    from proto_schema_parser.ast import EnumValue, Option

    enum.name = parsed.name
    elements: Iterable[Any] = parsed.elements
    for element in elements:
        if isinstance(element, EnumValue):
            enum.value.add(name=element.name, number=element.number)
        elif isinstance(element, Option) and element.name == "allow_alias":
            enum.options.allow_alias = True
