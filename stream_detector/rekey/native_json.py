"""Writes a reading in the native form, so that whoever reads it finds exactly what its producer wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import tzinfo

import msgspec

from stream_detector.ingest.times import has_zone, text_time
from stream_detector.timestamps import iso_time

_encode = msgspec.json.Encoder().encode
#: A record is written at most this much before, by its clock, and this much after the reading; see state/repeated_hour.py.
_EARLY_MS, _PROMPT_MS = 300_000, 1_800_000


def native_json(sensor: str, stamp: str | float, values: Mapping[str, object]) -> bytes:
    """Return the document of a reading. Its values are kept as they are, usable or not."""
    document = {"sensor_id": sensor, "timestamp": stamp, "values": dict(values)}
    try:
        written = _encode(document)
    except (OverflowError, UnicodeEncodeError, ValueError, TypeError):
        return json.dumps(document).encode()  # whole numbers of many digits, characters that are none
    if b"null" in written and any(_is_infinite(value) for value in values.values()):
        return json.dumps(document).encode()  # the fast encoder writes infinity as null, which would be a missing value
    return written


def exact_stamp(stamp: str | float | None, record_ms: int, zone: tzinfo | None) -> str | float:
    """Return the time of a reading so that it means the same wherever it is read. Raises RejectionError.

    A time without a zone is given as UTC, by `zone`. In the hour that comes twice when summer time ends, the time of the record
    tells which is meant; if it does not, the text stays as it is: then the order of the sensor's readings tells.
    """
    if stamp is None:
        return record_ms
    if not isinstance(stamp, str):
        return stamp
    time_ms, later_ms = text_time(stamp, zone)
    if stamp.endswith("Z") or has_zone(stamp.replace(",", ".", 1)):
        return stamp
    if later_ms > 0:
        after = record_ms - time_ms
        if not (record_ms >= 0 and -_EARLY_MS <= after <= later_ms + _PROMPT_MS):
            return stamp
        time_ms += later_ms if after >= later_ms - _EARLY_MS else 0
    return iso_time(time_ms)


def _is_infinite(value: object) -> bool:
    return isinstance(value, float) and math.isinf(value)
