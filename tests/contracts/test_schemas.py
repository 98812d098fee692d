"""What the pipeline expects of a schema registry, of the fake and of the real client against a real registry."""

from __future__ import annotations

import json

import pytest

from stream_detector.adapters.registry.client import RegistryClient
from stream_detector.ingest.schemas import Schema, Schemas
from stream_detector.settings.registry_settings import RegistrySettings
from tests.fakes.memory_schemas import MemorySchemas
from tests.servers.schema_registry import register

TAGS = json.dumps({"type": "record", "name": "Tags", "namespace": "plant", "fields": [{"name": "host", "type": "string"}]})
READING = json.dumps(
    {
        "type": "record",
        "name": "Reading",
        "namespace": "plant",
        "fields": [{"name": "tags", "type": "plant.Tags"}, {"name": "temperature", "type": "double"}],
    }
)
COMMON = 'syntax = "proto3"; package plant; message Tags { string host = 1; }'
MESSAGE = 'syntax = "proto3"; package plant; import "tags.proto"; message Reading { Tags tags = 1; double temperature = 2; }'
#: A number that no registry has given away.
UNKNOWN = 987_654_321

Registry = tuple[Schemas, dict[str, int]]


def _in_memory() -> Registry:
    tags, common = Schema("AVRO", TAGS), Schema("PROTOBUF", COMMON)
    reading = Schema("AVRO", READING, {"plant.Tags": tags})
    message = Schema("PROTOBUF", MESSAGE, {"tags.proto": common})
    json_schema = Schema("JSON", '{"type":"object"}')
    numbers = {"avro": 2, "protobuf": 4, "json": 5}
    return MemorySchemas({1: tags, 2: reading, 3: common, 4: message, 5: json_schema}), numbers


def _real(url: str, name: str) -> Registry:
    def also(subject: str, reference: str) -> list[dict[str, object]]:
        return [{"name": reference, "subject": f"{name}/{subject}", "version": 1}]

    def add(subject: str, *rest: object) -> int:
        return register(url, f"{name}/{subject}".replace("/", "%2F"), *rest)  # type: ignore[arg-type]  # passes them on

    add("tags", TAGS)
    add("tags.proto", COMMON, "PROTOBUF")
    numbers = {
        "avro": add("reading", READING, "AVRO", also("tags", "plant.Tags")),
        "protobuf": add("reading.proto", MESSAGE, "PROTOBUF", also("tags.proto", "tags.proto")),
        "json": add("json", '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}', "JSON"),
    }
    return RegistryClient(RegistrySettings(url=url)), numbers


@pytest.fixture(params=["memory", "real"])
def registry(request: pytest.FixtureRequest) -> Registry:
    if request.param == "memory":
        return _in_memory()
    return _real(request.getfixturevalue("schema_registry_url"), request.getfixturevalue("unique_name"))


def test_a_schema_has_its_kind_and_its_text(registry: Registry) -> None:
    schemas, numbers = registry
    found = schemas.find(numbers["json"])

    assert found is not None
    assert found.kind == "JSON"
    assert json.loads(found.text)["type"] == "object"


@pytest.mark.parametrize(("kind", "reference", "text"), [("avro", "plant.Tags", "host"), ("protobuf", "tags.proto", "host")])
def test_a_schema_has_the_schemas_that_it_refers_to(registry: Registry, kind: str, reference: str, text: str) -> None:
    schemas, numbers = registry
    found = schemas.find(numbers[kind])

    assert found is not None
    assert found.kind == kind.upper()
    assert text in found.references[reference].text


def test_a_number_that_was_never_given_has_no_schema(registry: Registry) -> None:
    assert registry[0].find(UNKNOWN) is None


def test_closing_twice_does_no_harm(registry: Registry) -> None:
    registry[0].close()
    registry[0].close()
