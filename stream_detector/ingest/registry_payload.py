"""Reads records whose values have a schema in a schema registry: Avro, Protobuf, or JSON with a schema."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from stream_detector.errors import RegistryUnavailableError
from stream_detector.ingest.avro_reader import avro_reader
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.lenient_json import parse_json
from stream_detector.ingest.protobuf_reader import protobuf_reader
from stream_detector.ingest.schemas import Schema, SchemaKey, Schemas
from stream_detector.ingest.wire_format import Framed, take_apart
from stream_detector.readings import Record

#: How long a registry that did not answer is not asked again: each of many records would wait for it otherwise.
_PAUSE_SECONDS = 0.5

Reader = Callable[[Framed], object]


class _Known(NamedTuple):
    """What was found out about a schema, until when; a rejection is for each record that has this schema."""

    reader: Reader | RejectionError
    until: float


class RegistryPayload:
    """Turns values into documents by the schemas that they name. Implements Payload.

    It asks the registry once for each schema, and remembers at most `most_schemas` of them. That the registry has no such
    schema it remembers for `unknown_seconds`, because the schema may be added.
    """

    def __init__(
        self, schemas: Schemas, clock: Callable[[], float], *, most_schemas: int = 1000, unknown_seconds: float = 60.0
    ) -> None:
        self._schemas = schemas
        self._clock = clock
        self._most_schemas = most_schemas
        self._unknown_seconds = unknown_seconds
        self._known: OrderedDict[SchemaKey, _Known] = OrderedDict()
        self._away: tuple[float, RegistryUnavailableError] | None = None  # until when it is not asked again, and why

    def document(self, record: Record) -> object:
        """See Payload. Raises RegistryUnavailableError if the schema is not known yet and the registry does not answer."""
        framed = take_apart(record)
        reader = self._reader(framed.key)
        if isinstance(reader, RejectionError):
            raise RejectionError(reader.reason, reader.detail)
        return reader(framed)

    def _reader(self, key: SchemaKey) -> Reader | RejectionError:
        known = self._known.get(key)
        if known is None or (isinstance(known.reader, RejectionError) and self._clock() >= known.until):
            known = _Known(self._find(key), self._clock() + self._unknown_seconds)
            self._known[key] = known
            if len(self._known) > self._most_schemas:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return known.reader

    def _find(self, key: SchemaKey) -> Reader | RejectionError:
        """Ask the registry; return the reader of a schema, or why it has none."""
        if self._away is not None and self._clock() < self._away[0]:
            raise RegistryUnavailableError(str(self._away[1]))
        try:
            schema = self._schemas.find(key)
        except RegistryUnavailableError as error:
            self._away = self._clock() + _PAUSE_SECONDS, error
            raise
        if schema is None:
            detail = f"the schema registry has no schema {key}: is it the registry of the producer?"
            return RejectionError("schema_unknown", detail)
        try:
            return _reader_of(schema)
        except RejectionError as rejection:
            return RejectionError(rejection.reason, f"schema {key}: {rejection.detail}")


def _reader_of(schema: Schema) -> Reader:
    """Return the reader of a schema. Raises RejectionError."""
    if schema.kind == "AVRO":
        read = avro_reader(schema)
        return lambda framed: read(framed.data)
    if schema.kind == "PROTOBUF":
        return protobuf_reader(schema)
    if schema.kind == "JSON":
        return lambda framed: parse_json(framed.data)
    detail = f"its type is {schema.kind[:40]!r}; Avro, Protobuf and JSON Schema are read"
    raise RejectionError("schema_unusable", detail)
