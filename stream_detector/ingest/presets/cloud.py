"""Records of the clouds' device services: AWS IoT shadows, AWS IoT SiteWise, Azure IoT Hub."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.presets.gateways import has
from stream_detector.ingest.shapes import describe_document
from stream_detector.readings import Record

_AZURE_DEVICE, _AZURE_TIME = "iothub-connection-device-id", "iothub-enqueuedtime"
NANOSECONDS = 10**9


def is_aws_shadow(document: object, _: Record) -> bool:
    """Return whether this is a shadow document, or the document that a shadow's update publishes."""
    state = document.get("state", _current(document).get("state")) if isinstance(document, dict) else None
    return has(state, "reported")


def unfold_aws_shadow(document: object, record: Record) -> object:
    """Return thing, time and reported state; the thing is the record's key if the document does not name it."""
    if not isinstance(document, dict):
        raise RejectionError("wrong_type", f"a shadow is an object; {describe_document(document)}")
    shadow = document if "state" in document else _current(document)
    state = shadow.get("state")
    key = record.key.decode(errors="replace") if record.key else None
    thing = next((document[name] for name in ("thingName", "clientId", "clientToken") if document.get(name)), key)
    reported = state.get("reported") if isinstance(state, dict) else None
    return {"thing": thing, "timestamp": document.get("timestamp", shadow.get("timestamp")), "reported": reported}


def _current(document: Mapping[str, Any]) -> dict[str, Any]:
    current = document.get("current")
    return current if isinstance(current, dict) else {}


def is_sitewise(document: object, _: Record) -> bool:
    """Return whether this is a notification that values of a property have come."""
    return isinstance(document, dict) and has(document.get("payload"), "assetId", "propertyId", "values")


def unfold_sitewise(document: object, _: Record) -> object:
    """Return the asset with its values as items."""
    payload = document.get("payload") if isinstance(document, dict) else None
    if not isinstance(payload, dict) or not isinstance(payload.get("values"), list):
        raise RejectionError("values_missing", f"there is no payload with values; {describe_document(document)}")
    items = [_sitewise_item(payload, one) for one in payload["values"] if isinstance(one, dict)]
    return {"asset": payload.get("assetId"), "items": items}


def _sitewise_item(payload: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    variant, stamp = one.get("value"), one.get("timestamp")
    value = next(iter(variant.values()), None) if isinstance(variant, dict) else variant
    if isinstance(stamp, dict):
        seconds, nanos = stamp.get("timeInSeconds"), stamp.get("offsetInNanos", 0)
        stamp = seconds * NANOSECONDS + nanos if isinstance(seconds, int) and isinstance(nanos, int) else seconds
    return {"property": payload.get("propertyId"), "value": value, "quality": one.get("quality"), "time": stamp}


def is_azure(document: object, record: Record) -> bool:
    """Return whether IoT Hub's headers or its envelope are there."""
    return has(document, "Body", "SystemProperties") or any(name == _AZURE_DEVICE for name, _ in record.headers)


def unfold_azure(document: object, record: Record) -> object:
    """Return device, time and body; IoT Hub has device and time in headers, or beside the body in an envelope."""
    headers = {name: (content or b"").decode(errors="replace").strip('"') for name, content in record.headers}
    if not has(document, "Body"):
        time = (
            next((document[name] for name in ("timestamp", "time", "ts") if name in document), None)
            if isinstance(document, dict)
            else None
        )
        return {"device": headers.get(_AZURE_DEVICE), "time": time or headers.get(_AZURE_TIME), "body": document}
    assert isinstance(document, dict)
    properties = document.get("SystemProperties")
    system = properties if isinstance(properties, dict) else {}
    device = system.get("connectionDeviceId", system.get(_AZURE_DEVICE, headers.get(_AZURE_DEVICE)))
    return {"device": device, "time": document.get("EnqueuedTimeUtc"), "body": _body(document["Body"])}


def _body(body: object) -> object:
    """Return a body, which is base64 unless the message said that it is JSON."""
    if not isinstance(body, str):
        return body
    try:
        return json.loads(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise RejectionError("not_json", "the Body of the message is neither JSON nor JSON in base64") from None
