"""Records that wrap another: Kafka Connect, Debezium, CloudEvents; and an object that wraps nothing."""

from __future__ import annotations

from typing import Any

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.presets.gateways import has
from stream_detector.ingest.shapes import describe_document
from stream_detector.readings import Record

_SNAPSHOT_AND_CHANGES = ("c", "u", "r")


def is_connect(document: object, _: Record) -> bool:
    """Return whether this is what the JSON converter writes with schemas.enable."""
    return has(document, "schema", "payload") and isinstance(document, dict) and isinstance(document["payload"], dict)


def unfold_connect(document: object, _: Record) -> object:
    """Return the payload; a record without a schema is its own."""
    return document["payload"] if isinstance(document, dict) and has(document, "schema", "payload") else document


def is_debezium(document: object, _: Record) -> bool:
    """Return whether this is a change event, with its schema or without."""
    return has(_event(document), "op", "after")


def _event(document: object) -> object:
    """Return a change event, without its schema."""
    payload = document.get("payload") if isinstance(document, dict) else None
    return payload if isinstance(payload, dict) and "op" in payload else document


def unfold_debezium(document: object, _: Record) -> object:
    """Return the row after the change; a deletion holds no reading."""
    event = _event(document)
    if not isinstance(event, dict) or "op" not in event:
        raise RejectionError("wrong_type", f"a change event has op and after; {describe_document(event)}")
    row = event.get("after")
    return row if event["op"] in _SNAPSHOT_AND_CHANGES and isinstance(row, dict) else []


def is_cloudevent(document: object, record: Record) -> bool:
    """Return whether this is a CloudEvent, in structured or, by the record's headers, in binary mode."""
    return has(document, "specversion", "type", "source") or any(name == "ce_specversion" for name, _ in record.headers)


def unfold_cloudevent(document: object, record: Record) -> object:
    """Return the event as an object with its attributes and its data; without a subject the source stands for it."""
    attributes = {
        name[3:]: (content or b"").decode(errors="replace") for name, content in record.headers if name.startswith("ce_")
    }
    event: dict[str, Any]
    if "specversion" in attributes:
        event = {**attributes, "data": document}
    elif isinstance(document, dict) and "specversion" in document:
        event = dict(document)
    else:
        raise RejectionError("wrong_type", f"neither a CloudEvent nor ce_ headers; {describe_document(document)}")
    if event.get("subject") is None:
        event["subject"] = event.get("source")
    return event


def is_flat(document: object, _: Record) -> bool:
    """Return whether this is an object with a number at its top level."""
    return isinstance(document, dict) and any(
        isinstance(one, float | int) and not isinstance(one, bool) for one in document.values()
    )
