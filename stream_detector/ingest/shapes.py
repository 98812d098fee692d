"""Says what a record is that is no reading: the names in it, and whether it has the shape of a known tool.

Everything that comes out is short, whatever the record holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

#: How a reading looks, for messages.
READING = '{"sensor_id": "pump-7", "timestamp": "2026-11-23T07:12:00Z", "values": {"temperature": 61.2}}'

_MOST_NAMES, _MOST_INNER, _NAME_CHARACTERS = 8, 5, 24
_LINE_PROTOCOL = re.compile(rb"[^\s,={}\[\]\"]+(,[^\s,=]+=[^\s,]+)* [^\s,=]+=[^\s]+( -?[0-9]+)?\s*")
_LONGEST_LINE = 4096
#: Names that are often used for ours.
_LIKE_SENSOR = re.compile(r"(sensor|device|asset|machine|equipment|entity|thing)[ _-]?(id|name|key|no)?|id", re.IGNORECASE)

_LIKE_TIME = re.compile(
    r"(event|source|server)?[ _-]?(time[ _-]?stamp|date[ _-]?time|ts|time|date|t)(_?(ms|at|utc))?", re.IGNORECASE
)


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda document: document.keys() >= set(names)


def _has_list(name: str, *inner: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return a test for a list of objects that have these names, by its first element."""

    def test(document: Mapping[str, Any]) -> bool:
        items = document.get(name)
        return isinstance(items, list) and bool(items) and isinstance(items[0], dict) and items[0].keys() >= set(inner)

    return test


def _is_debezium(document: Mapping[str, Any]) -> bool:
    payload = document.get("payload", document)
    return isinstance(payload, dict) and payload.keys() >= {"op", "after"}


def _is_sitewise(document: Mapping[str, Any]) -> bool:
    payload = document.get("payload")
    return isinstance(payload, dict) and payload.keys() >= {"assetId", "propertyId", "values"}


def _is_shadow(document: Mapping[str, Any]) -> bool:
    state = document.get("state")
    return isinstance(state, dict) and "reported" in state


def _is_thingsboard(document: Mapping[str, Any]) -> bool:
    first = next(iter(document.values()), None)
    of_devices = isinstance(first, list) and bool(first) and isinstance(first[0], dict) and first[0].keys() >= {"ts", "values"}
    return document.keys() >= {"ts", "values"} or of_devices


#: Shapes of other tools, with the preset that reads them, if there is one; the first that fits is named.
_SHAPES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("JSON of Telegraf", "telegraf", _has("fields", "tags")),
    ("JSON of Telegraf, several metrics in a record", "telegraf", _has_list("metrics", "fields", "tags")),
    ("a Sparkplug payload as JSON", "", _has_list("metrics", "name", "value")),
    ("a Sparkplug payload as JSON", "", _has_list("metrics", "name", "datatype")),
    ("a Sparkplug payload as JSON", "", _has_list("metrics", "name", "dataType")),
    ("JSON of the Kepware IoT gateway", "kepware", _has_list("values", "id", "v")),
    ("JSON of ThingsBoard", "thingsboard", _is_thingsboard),
    ("an OPC UA PubSub message", "opcua", _has("MessageType", "Messages")),
    ("an OPC UA PubSub message", "opcua", _has_list("Messages", "Payload")),
    ("an OPC UA PubSub message", "opcua", _has("DataSetWriterId", "Payload")),
    ("a notification of AWS IoT SiteWise", "sitewise", _is_sitewise),
    ("a shadow of AWS IoT", "aws-iot", _is_shadow),
    ("a message of Azure IoT Hub", "azure-iot", _has("Body", "SystemProperties")),
    ("a change event of Debezium", "debezium", _is_debezium),
    ("a record of Kafka Connect with its schema", "connect", _has("schema", "payload")),
    ("a CloudEvent", "cloudevents", _has("specversion", "type", "source")),
    ("OpenTelemetry metrics", "otlp", _has("resourceMetrics")),
    ("a message with topic and payload, as of an MQTT bridge", "", _has("topic", "payload")),
)


def _cure(preset: str) -> str:
    return (
        f"STREAM_DETECTOR_INPUT__PRESET={preset} reads that"
        if preset
        else "settings of a mapping may read it (docs/formats.md)"
    )


def describe_document(document: object) -> str:
    """Return which names a JSON document has, at the top and one level down, and whether it has a known shape."""
    if isinstance(document, list):
        inner = document[0] if document and isinstance(document[0], dict) else {}
        if "sensor_id" in inner:
            return "a list of readings: STREAM_DETECTOR_INPUT__VALUES=values reads such a list"
        known = (
            "it looks like SenML, which is not read yet"
            if inner.keys() & {"bn", "n"} and inner.keys() & {"v", "bv", "u"}
            else ""
        )
        return _joined(f"found a list{f' of objects with {_names(inner)}' if inner else ''}", known)
    if not isinstance(document, dict):
        return ""
    found = ", ".join(_with_inner(name, value) for name, value in list(document.items())[:_MOST_NAMES])
    more = ", ..." if len(document) > _MOST_NAMES else ""
    return _joined(f"found {found}{more}" if found else "found an empty object", _known_shape(document))


def describe_bytes(value: bytes) -> str:
    """Return which known format a record has that is not JSON; empty if none."""
    if value[:1] == b"\x00" and len(value) > 5:
        return (
            "it looks like the wire format of a schema registry (Avro, Protobuf): a zero byte and a schema number; JSON is read"
        )
    if _LINE_PROTOCOL.fullmatch(value[:_LONGEST_LINE].split(b"\n", 1)[0]):
        return "it looks like the line protocol of InfluxDB: STREAM_DETECTOR_INPUT__PRESET=influx reads that"
    return ""


def sensor_hint(document: Mapping[str, Any]) -> str:
    """Return which of a document's names may be meant for sensor_id; empty if none, or if the document is of another tool."""
    if any(fits(document) for _, _, fits in _SHAPES):
        return ""
    like = [name for name in document if _LIKE_SENSOR.fullmatch(str(name))]
    return f"is it {_cut(like[0])!r}? " if like else ""


def time_hint(value: bytes) -> str:
    """Return a question if a reading without a timestamp has a name that may be its time; else nothing."""
    try:
        names = [str(name) for name in json.loads(value.decode("utf-8-sig"))]
    except (ValueError, RecursionError):
        return ""
    like = [name for name in names if _LIKE_TIME.fullmatch(name) and name != "timestamp"]
    return f". Is {_cut(like[0])!r} their time? Then call it timestamp" if like else ""


def explain_record(value: bytes) -> str:
    """Return what a record holds that is no reading."""
    try:
        document = json.loads(value.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return describe_bytes(value) or "it is not JSON"
    return describe_document(document)


def _known_shape(document: Mapping[str, Any]) -> str:
    for name, preset, fits in _SHAPES:
        if fits(document):
            return f"it looks like {name}: {_cure(preset)}"
    is_single = "value" in document and "values" not in document
    return (
        "it looks like one value in a record: STREAM_DETECTOR_INPUT__VALUE=value reads that (docs/formats.md)"
        if is_single
        else ""
    )


def _with_inner(name: str, value: object) -> str:
    inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
    return f"{_cut(name)} ({_names(inner)})" if isinstance(inner, dict) and inner else _cut(name)


def _names(document: Mapping[str, Any]) -> str:
    return ", ".join(_cut(name) for name in list(document)[:_MOST_INNER]) + (", ..." if len(document) > _MOST_INNER else "")


def _cut(name: object) -> str:
    text = str(name).encode("utf-8", "replace").decode()
    return text if len(text) <= _NAME_CHARACTERS else f"{text[:_NAME_CHARACTERS]}..."


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))[:400]
