"""Reads data in Avro's binary encoding, by a schema.

Numbers stay numbers: a timestamp with a zone is a number in the unit of its schema, which times.py tells by its size. Local
times and dates become ISO 8601, decimals become doubles, bytes become base64.

fastavro would follow a schema that refers to itself as deep as the data say, on the stack of C, and would make as many items
without bytes as the data say. No schema of a reading does that, so such schemas are refused.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, MutableMapping
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any, TypeAlias

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.schemas import Schema

#: Most parts that a schema may have when every name in it is replaced by what it stands for.
MOST_PARTS = 20_000
#: A longer decimal is no number of a plant, and the time to read it grows with the square of its length.
_MOST_DECIMAL_BYTES = 64
_RAW, _DECIMAL, _DATE = "raw-as-text", "decimal-as-number", "date-as-text"
_LOCAL = {f"local-timestamp-{unit}": per for unit, per in (("millis", 1_000), ("micros", 1_000_000), ("nanos", 1_000_000_000))}
#: A schema of Avro as JSON: a name, a list of alternatives or an object.
_Json: TypeAlias = Any
_ERRORS = (ValueError, TypeError, LookupError, EOFError, ArithmeticError, MemoryError, RecursionError)


def avro_reader(schema: Schema) -> Callable[[bytes], object]:
    """Return what turns data of this schema into a document; it raises RejectionError for other data.

    Raises RejectionError if the schema cannot be used. Needs fastavro.
    """
    from fastavro import parse_schema, schemaless_reader
    from fastavro.read import LOGICAL_READERS
    from fastavro.schema import SchemaParseException, UnknownType

    _add_readers(LOGICAL_READERS)
    named: dict[str, Any] = {}
    try:
        for _, one in schema.referred():
            parse_schema(_rewritten(json.loads(one.text)), named_schemas=named)
        parsed = parse_schema(_rewritten(json.loads(schema.text)), named_schemas=named)
        _Parts(named).count(parsed, ())
    except (SchemaParseException, UnknownType, *_ERRORS) as error:
        raise RejectionError("schema_unusable", f"the Avro schema cannot be used: {_shown(error)}") from None

    def read(data: bytes) -> object:
        source = BytesIO(data)
        try:
            document: object = schemaless_reader(source, parsed, None)
        except _ERRORS as error:
            raise RejectionError("wrong_format", f"the data are not of their Avro schema: {_shown(error)}") from None
        if source.tell() != len(data):
            left = len(data) - source.tell()
            raise RejectionError("wrong_format", f"the data are not of their Avro schema: {left} bytes are left")
        return document

    return read


class _Parts:
    """Counts the parts of a schema with all names replaced; raises ValueError if that has no end or takes too long."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._left = MOST_PARTS

    def count(self, schema: _Json, within: tuple[str, ...]) -> int:
        """Return the least bytes that data of a schema take; `within` are the names of the types around it."""
        self._left -= 1
        if self._left < 0:
            msg = f"it has more than {MOST_PARTS} parts"
            raise ValueError(msg)
        if isinstance(schema, list):
            return 1 + min([self.count(one, within) for one in schema], default=0)
        if isinstance(schema, str):
            return self.count(self._named[schema], within) if schema in self._named else _LEAST_BYTES.get(schema, 1)
        kind, name = schema["type"], schema.get("name", "")
        if kind in ("record", "error"):
            if name in within:
                msg = f"{name} refers to itself"
                raise ValueError(msg)
            return sum(self.count(one["type"], (*within, name)) for one in schema["fields"])
        if kind == "array":
            if self.count(schema["items"], within) == 0:
                msg = "it has an array of items that take no bytes"
                raise ValueError(msg)
            return 1
        if kind == "map":
            self.count(schema["values"], within)
            return 1
        if kind == "fixed":
            return int(schema["size"])
        return self.count(kind, within) if not isinstance(kind, str) or kind in _LEAST_BYTES else 1


_LEAST_BYTES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}


def _rewritten(schema: _Json) -> _Json:
    """Return a schema whose types of other than JSON's values have readers of ours, and whose other types are plain."""
    if isinstance(schema, list):
        return [_rewritten(one) for one in schema]
    if schema == "bytes":
        return {"type": "bytes", "logicalType": _RAW}
    if not isinstance(schema, dict):
        return schema
    kind, logical = schema.get("type"), schema.get("logicalType")
    plain = {name: value for name, value in schema.items() if name != "logicalType"}
    if kind in ("record", "error"):
        fields = schema.get("fields")
        if not isinstance(fields, list) or not all(isinstance(one, dict) and "type" in one for one in fields):
            msg = "a record without fields"
            raise ValueError(msg)
        return plain | {"fields": [{"name": one.get("name"), "type": _rewritten(one["type"])} for one in fields]}
    if kind in ("array", "map"):
        inner = "items" if kind == "array" else "values"
        return plain | {inner: _rewritten(schema.get(inner))}
    if kind in ("bytes", "fixed"):
        return plain | {"logicalType": _DECIMAL if logical == "decimal" else _RAW}
    if (kind, logical) == ("int", "date"):
        return plain | {"logicalType": _DATE}
    if kind == "long" and logical in _LOCAL:
        return plain | {"logicalType": f"{logical}-as-text"}
    return plain | {"type": _rewritten(kind)} if isinstance(kind, dict | list) else plain


def _add_readers(readers: MutableMapping[str, Any]) -> None:
    """Tell fastavro how to read the types that `_rewritten` names. Its names belong to nobody else."""
    for base in ("bytes", "fixed"):
        readers[f"{base}-{_RAW}"] = lambda data, *_: b64encode(data).decode()
        readers[f"{base}-{_DECIMAL}"] = _decimal
    readers[f"int-{_DATE}"] = lambda days, *_: (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    for name, per_second in _LOCAL.items():
        readers[f"long-{name}-as-text"] = _local_reader(per_second)


def _decimal(data: bytes, schema: Mapping[str, Any], *_: object) -> float:
    if len(data) > _MOST_DECIMAL_BYTES:
        msg = f"a decimal of {len(data)} bytes"
        raise ValueError(msg)
    return float(int.from_bytes(data, "big", signed=True) / 10 ** int(schema.get("scale", 0)))


def _local_reader(per_second: int) -> Callable[..., str]:
    def read(count: int, *_: object) -> str:
        moment = datetime(1970, 1, 1) + timedelta(microseconds=count * 1_000_000 // per_second)  # noqa: DTZ001 - it has no zone
        return moment.isoformat()

    return read


def _shown(error: BaseException) -> str:
    return f"{str(error)[:200] or type(error).__name__}"
