"""The published schema of an event and the table of its fields, generated from the structs in detection/events.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from stream_detector.detection.events import ADDED_FIELDS, SCHEMA_VERSION, Event

PATH = Path(__file__).parent.parent / "stream_detector" / "detection" / "event.schema.json"


def schema_text() -> str:
    """Return the text of event.schema.json."""
    _, components = msgspec.json.schema_components([Event])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:stream-detector:event:{SCHEMA_VERSION}",
        "title": f"stream_detector event, schema version {SCHEMA_VERSION}",
    }
    return json.dumps(head | _plain(components["Event"], components), indent=2, ensure_ascii=False) + "\n"


def _plain(node: Any, components: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return a schema with references resolved, unions of types as lists, and every field of an object required."""
    if isinstance(node, list):
        return [_plain(one, components) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = components[node["$ref"].rpartition("/")[2]] | {key: value for key, value in node.items() if key != "$ref"}
    if "anyOf" in node:
        node = node | {"type": [one["type"] for one in node["anyOf"]]}
    if "properties" in node:
        properties = {name: _plain(one, components) for name, one in node["properties"].items()}
        node = node | {"required": [name for name in properties if name not in ADDED_FIELDS], "properties": properties}
        return {key: value for key, value in node.items() if key not in {"title", "default"}}
    return {key: _plain(value, components) for key, value in node.items() if key not in {"anyOf", "default"}}


def fields_table() -> str:
    """Return the Markdown table of an event's fields."""
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    fields = _fields(json.loads(schema_text()), "")
    lines += [f"| `{path}` | {_type(node)} | {node['description']} |" for path, node in fields]
    return "\n".join(lines)


def _fields(schema: dict[str, Any], prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the fields of an object and of the objects in it, by path."""
    found = []
    for name, node in schema["properties"].items():
        found.append((f"{prefix}{name}", node))
        items = node.get("items", {})
        if "properties" in node:
            found += _fields(node, f"{prefix}{name}.")
        if "properties" in items:
            found += _fields(items, f"{prefix}{name}[].")
    return found


def _type(node: dict[str, Any]) -> str:
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "items" in node:
        return f"array of {node['items']['type']}s"
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join("time" if node.get("format") == "date-time" else name for name in types)
