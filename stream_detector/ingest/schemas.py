"""Schemas of a schema registry, and the port of whatever keeps them. Contains no client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

#: What a record says of its schema: the number that the registry gave it, or its GUID.
SchemaKey = int | UUID


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as its producer wrote it, with the schemas that it refers to, by the names that it uses for them."""

    kind: str  # AVRO, PROTOBUF or JSON; perhaps another
    text: str
    references: Mapping[str, Schema] = field(default_factory=dict)

    def referred(self) -> Iterator[tuple[str, Schema]]:
        """Yield all schemas that this one needs with their names, each after those that it needs itself."""
        for name, schema in self.references.items():
            yield from schema.referred()
            yield name, schema


class Schemas(Protocol):
    """A schema registry. Every call is bounded in time."""

    def find(self, key: SchemaKey) -> Schema | None:
        """Return a schema with all that it refers to; None if the registry says that it has none.

        A schema that it refers to and that the registry does not have is left out.
        Raises RegistryUnavailableError if the registry does not answer, RegistryRefusedError if it refuses us.
        """

    def close(self) -> None:
        """Release everything. Idempotent."""
