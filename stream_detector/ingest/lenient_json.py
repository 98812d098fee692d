"""Parses the documents that the typed JSON decoder rejects, or explains why they are not readings.

In addition to plain JSON of the right types, this accepts a byte order mark, bare NaN, integer sensor IDs, and ignored features
of any type. It is far slower than the typed decoder, so only records that the typed decoder rejects get here.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from stream_detector.ingest.document import Document, RejectionError


def read_leniently(value: bytes, only: Collection[str] | None) -> Document:
    """Return the document in a record's value; raise RejectionError if there is none.

    With `only`, values of other names may have any type and are returned as None.
    """
    try:
        text = value.decode("utf-8-sig")
        document = json.loads(text, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise RejectionError("not_json", str(error)[:200]) from None
    if not isinstance(document, dict):
        raise RejectionError("wrong_type", f"a reading is an object, not {_kind(document)}")
    sensor, values = _sensor(document), _values(document, only)
    return Document(sensor_id=sensor, values=values, timestamp=_timestamp(document.get("timestamp")))


def _parse_int(digits: str) -> int:
    """Parse an integer of bounded length: the time to parse one grows with the square of its length."""
    if len(digits) > 400:
        msg = "a number has more than 400 digits"
        raise ValueError(msg)
    return int(digits)


def _sensor(document: dict[str, Any]) -> str:
    sensor = document.get("sensor_id")
    if sensor is None:
        raise RejectionError("sensor_missing", "there is no sensor_id")
    if isinstance(sensor, bool) or not isinstance(sensor, str | int):
        raise RejectionError("wrong_type", f"sensor_id is text, not {_kind(sensor)}")
    try:
        str(sensor).encode()
    except UnicodeEncodeError:
        raise RejectionError("wrong_type", "sensor_id is not valid Unicode") from None
    return str(sensor)


def _values(document: dict[str, Any], only: Collection[str] | None) -> dict[str, float | None]:
    values = document.get("values")
    if values is None:
        raise RejectionError("values_missing", "there are no values")
    if not isinstance(values, dict):
        raise RejectionError("wrong_type", f"values is an object, not {_kind(values)}")
    if only is not None:
        values = {name: number if name in only else None for name, number in values.items()}
    for name, number in values.items():
        if isinstance(number, bool) or not isinstance(number, float | int | None):
            raise RejectionError("wrong_type", f"{name[:100]!r} is a number or null, not {_kind(number)}")
    try:
        return {name: None if number is None else float(number) for name, number in values.items()}
    except OverflowError:
        raise RejectionError("not_finite", "a value is beyond the range of floating point") from None


def _timestamp(stamp: object) -> datetime | float | None:
    if isinstance(stamp, bool) or not isinstance(stamp, str | float | int | None):
        raise RejectionError("wrong_type", f"timestamp is text or a number, not {_kind(stamp)}")
    try:
        if isinstance(stamp, str):
            return datetime.fromisoformat(stamp.strip())
        return None if stamp is None else float(stamp)
    except OverflowError:
        raise RejectionError("time_out_of_range", "timestamp is beyond any date") from None
    except ValueError:
        raise RejectionError("wrong_type", f"timestamp is not ISO 8601: {stamp!r}"[:200]) from None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
