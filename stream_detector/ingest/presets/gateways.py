"""Records of gateways at the plant: Telegraf, Kepware, ThingsBoard, OPC UA PubSub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.shapes import describe_document
from stream_detector.readings import Record

MEMBERS_OF_A_VALUE = {
    "Value",
    "Body",
    "Type",
    "Status",
    "StatusCode",
    "SourceTimestamp",
    "ServerTimestamp",
    "SourcePicoseconds",
}
#: Messages of OPC UA that hold no reading.
WITHOUT_VALUES = ("ua-keepalive", "ua-metadata")


def has(document: object, *names: str) -> bool:
    """Return whether a document is an object with these names."""
    return isinstance(document, dict) and document.keys() >= set(names)


def has_list(document: object, name: str, *inner: str) -> bool:
    """Return whether a document has a list of objects with these names, by its first element."""
    items = document.get(name) if isinstance(document, dict) else None
    return isinstance(items, list) and bool(items) and has(items[0], *inner)


def is_telegraf(document: object, _: Record) -> bool:
    """Return whether this is one metric of Telegraf's JSON, or a batch of them."""
    return has(document, "fields", "tags") or has_list(document, "metrics", "fields", "tags")


def is_kepware(document: object, _: Record) -> bool:
    """Return whether this is a list of tags with id and v, at the top or under `values`."""
    return has_list(document, "values", "id", "v") or (
        isinstance(document, list) and bool(document) and has(document[0], "id", "v")
    )


def unfold_kepware(document: object, _: Record) -> object:
    """Bring the narrow format, a list alone, into the form of the wide one; tags without a time take that of the message."""
    if isinstance(document, list):
        return {"values": document}
    if isinstance(document, dict) and "timestamp" in document and isinstance(document.get("values"), list):
        document["t"] = document["timestamp"]
    return document


def is_thingsboard(document: object, _: Record) -> bool:
    """Return whether this is telemetry of one device, or that of a gateway: lists of telemetry by device."""
    return _has_telemetry(document) or bool(_devices(document))


def unfold_thingsboard(document: object, record: Record) -> object:
    """Return a list of telemetry with its device; a device that sends for itself is named by the record's key."""
    devices = _devices(document)
    if devices:
        return [{"device": name, **one} for name, telemetry in devices.items() for one in telemetry if isinstance(one, dict)]
    listed = document if isinstance(document, list) else [document]
    key = record.key.decode(errors="replace") if record.key else None
    named = [{"device": _device_name(one) or key, **one} for one in listed if isinstance(one, dict)]
    return [one if "values" in one else {"device": one["device"], "values": _without(one, "device")} for one in named]


def _has_telemetry(document: object) -> bool:
    one = document[0] if isinstance(document, list) and document else document
    return has(one, "ts", "values")


def _devices(document: object) -> dict[str, list[Any]]:
    if not isinstance(document, dict) or not document:
        return {}
    first = next(iter(document.values()))
    is_gateway = isinstance(first, list) and bool(first) and has(first[0], "values")
    return {name: one for name, one in document.items() if isinstance(one, list)} if is_gateway else {}


def _device_name(document: Mapping[str, Any]) -> object:
    return next((document[name] for name in ("device", "deviceName", "deviceId") if name in document), None)


def _without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def is_opcua(document: object, _: Record) -> bool:
    """Return whether this is a network message, or a data set message alone."""
    return (
        has_list(document, "Messages", "Payload")
        or has(document, "MessageType", "Messages")
        or has(document, "DataSetWriterId", "Payload")
    )


def unfold_opcua(document: object, _: Record) -> object:
    """Return a list of data set messages, each with its values as items with name, value, status and time.

    The writer's name says whose values they are; without one, the publisher and the writer's number do.
    """
    if not isinstance(document, dict):
        raise RejectionError("wrong_type", f"an OPC UA PubSub message is an object; {describe_document(document)}")
    messages = document.get("Messages", [document])
    if isinstance(messages, dict):
        messages = [messages]
    if not isinstance(messages, list):
        raise RejectionError("values_missing", f"Messages is not a list; {describe_document(document)}")
    kept = [one for one in messages if isinstance(one, dict) and one.get("MessageType") not in WITHOUT_VALUES]
    return [_data_set(document, one) for one in kept]


def _data_set(network: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    number = message.get("DataSetWriterId", "")
    publisher = message.get("PublisherId") or network.get("PublisherId")
    name = message.get("DataSetWriterName") or (f"{publisher}.{number}" if publisher is not None else number or None)
    payload = message.get("Payload")
    if not isinstance(payload, dict):
        raise RejectionError("values_missing", f"a data set message has no Payload; {describe_document(dict(message))}")
    time = message.get("Timestamp")
    return {"writer": name, "items": [_field(field, value, time) for field, value in payload.items()]}


def _field(name: str, value: object, time: object) -> dict[str, Any]:
    """Return one value: plain, with its type (reversible encoding), or with status and times (DataValue)."""
    if not isinstance(value, dict) or not value.keys() <= MEMBERS_OF_A_VALUE:
        return {"name": name, "value": value, "time": time}
    inner = value.get("Value", value.get("Body"))
    if isinstance(inner, dict):
        inner = inner.get("Body", inner.get("Value"))
    status = value.get("StatusCode", value.get("Status"))
    if isinstance(status, dict):
        status = status.get("Code", status.get("Symbol"))
    return {
        "name": name,
        "value": inner,
        "status": status,
        "time": time or value.get("SourceTimestamp") or value.get("ServerTimestamp"),
    }
