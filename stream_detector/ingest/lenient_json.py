"""Parses the documents that the typed JSON decoder rejects, or explains why they are not readings.

In addition to plain JSON of the right types, this accepts a byte order mark, bare NaN, integer sensor IDs, and features of any
type. It is far slower than the typed decoder, so only records that the typed decoder rejects get here.
"""

from __future__ import annotations

import json
import math
from typing import Any

from stream_detector.ingest.document import Document, RejectionError
from stream_detector.ingest.shapes import READING, describe_bytes, describe_document, sensor_hint

_MOST_DIGITS = 400


def read_leniently(value: bytes) -> Document:
    """Return the document in a record's value, with values of any type; raise RejectionError if there is none."""
    document = parse_json(value)
    if not isinstance(document, dict):
        raise RejectionError(
            "wrong_type", _joined(f"a reading is an object, not {_kind(document)}", describe_document(document))
        )
    values = _values(document)
    return Document(sensor_id=_sensor(document), values=values, timestamp=_timestamp(document.get("timestamp")))


def parse_json(value: bytes) -> object:
    """Return the document in a record's value, also after a byte order mark and with bare NaN; raise RejectionError."""
    try:
        return json.loads(value.decode("utf-8-sig"), parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise RejectionError("not_json", _joined(str(error)[:200], describe_bytes(value))) from None


def _parse_int(digits: str) -> float:
    """Parse an integer; one of many digits is infinite, because the time to parse it grows with the square of its length."""
    if len(digits) > _MOST_DIGITS:
        return -math.inf if digits.startswith("-") else math.inf
    return int(digits)


def _sensor(document: dict[str, Any]) -> str:
    sensor = document.get("sensor_id")
    if sensor is None:
        missing = "sensor_id is null; " if "sensor_id" in document else f"there is no sensor_id; {sensor_hint(document)}"
        detail = f"{missing}{describe_document(document)}. A reading is {READING}"
        raise RejectionError("sensor_missing", detail)
    if isinstance(sensor, float) and sensor.is_integer():
        sensor = int(sensor)
    if isinstance(sensor, bool) or not isinstance(sensor, str | int):
        raise RejectionError(
            "wrong_type", f"sensor_id is text or a whole number, not {sensor if isinstance(sensor, float) else _kind(sensor)}"
        )
    try:
        str(sensor).encode()
    except UnicodeEncodeError:
        raise RejectionError("wrong_type", "sensor_id is not valid Unicode") from None
    return str(sensor)


def _values(document: dict[str, Any]) -> dict[str, Any]:
    if document.get("sensor_id") is None:
        return {}  # the sensor is missed first
    values = document.get("values")
    if values is None:
        raise RejectionError("values_missing", f"there are no values; {describe_document(document)}. A reading is {READING}")
    if not isinstance(values, dict):
        raise RejectionError("wrong_type", _joined(f"values is an object, not {_kind(values)}", describe_document(document)))
    return values


def _timestamp(stamp: object) -> str | float | None:
    if isinstance(stamp, bool) or not isinstance(stamp, str | float | int | None):
        raise RejectionError("wrong_type", f"timestamp is text or a number, not {_kind(stamp)}")
    return stamp


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
