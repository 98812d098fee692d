"""A schema registry in memory."""

from __future__ import annotations

from collections.abc import Mapping

from stream_detector.errors import RegistryUnavailableError
from stream_detector.ingest.schemas import Schema, SchemaKey


class MemorySchemas:
    """Schemas by key. Implements ingest.schemas.Schemas."""

    def __init__(self, schemas: Mapping[SchemaKey, Schema] | None = None) -> None:
        self.schemas = dict(schemas or {})
        self.is_away = False
        self.asked: list[SchemaKey] = []

    def find(self, key: SchemaKey) -> Schema | None:
        """See Schemas."""
        self.asked.append(key)
        if self.is_away:
            msg = "the schema registry is away"
            raise RegistryUnavailableError(msg)
        return self.schemas.get(key)

    def close(self) -> None:
        """See Schemas."""
