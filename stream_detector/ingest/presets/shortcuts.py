"""Reads the usual documents of tools whose values each have a status and a time in one pass, at a third of the cost.

A shortcut gives what the mapping of its preset gives, or None for a document that is unusual in any way: the mapping reads
that, or says why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.ingest.presets.cloud import NANOSECONDS
from stream_detector.ingest.presets.gateways import MEMBERS_OF_A_VALUE, WITHOUT_VALUES
from stream_detector.ingest.quality import Judge
from stream_detector.ingest.record_shape import RawReading


def read_opcua(document: object, judge: Judge) -> list[RawReading] | None:
    """Read a network message whose data sets all have the name of their writer and a time."""
    messages = document.get("Messages") if isinstance(document, dict) else None
    if not isinstance(messages, list):
        return None
    readings: list[RawReading] = []
    for message in messages:
        if not isinstance(message, dict):
            return None
        if message.get("MessageType") in WITHOUT_VALUES:
            continue
        sensor, stamp, payload = message.get("DataSetWriterName"), message.get("Timestamp"), message.get("Payload")
        if not (isinstance(sensor, str) and isinstance(stamp, str) and isinstance(payload, dict)):
            return None
        if not (sensor and stamp and payload):
            return None
        values: dict[str, object] = {}
        for name, value in payload.items():
            values[name] = _judged(value, judge) if isinstance(value, dict) else value
        readings.append(RawReading(sensor, stamp, values))
    return readings


def _judged(value: Mapping[str, Any], judge: Judge) -> object:
    """Return the number of a field with its type, or with status and times, unless the status is bad."""
    if not value.keys() <= MEMBERS_OF_A_VALUE:
        return value
    inner = value.get("Value", value.get("Body"))
    if isinstance(inner, dict):
        inner = inner.get("Body", inner.get("Value"))
    status = value.get("StatusCode", value.get("Status"))
    if isinstance(status, dict):
        status = status.get("Code", status.get("Symbol"))
    return judge(inner, status)


def read_sitewise(document: object, judge: Judge) -> list[RawReading] | None:
    """Read a notification whose values each have a time in seconds and nanoseconds."""
    payload = document.get("payload") if isinstance(document, dict) else None
    if not isinstance(payload, dict):
        return None
    sensor, name, values = payload.get("assetId"), payload.get("propertyId"), payload.get("values")
    if not isinstance(sensor, str) or not isinstance(name, str) or not isinstance(values, list):
        return None
    of_times: dict[int, object] = {}
    for one in values:
        stamp = one.get("timestamp") if isinstance(one, dict) else None
        if not isinstance(stamp, dict):
            return None
        seconds, nanos, value = stamp.get("timeInSeconds"), stamp.get("offsetInNanos", 0), one.get("value")
        if type(seconds) is not int or type(nanos) is not int:
            return None
        if isinstance(value, dict):
            value = next(iter(value.values()), None)
        of_times[seconds * NANOSECONDS + nanos] = judge(value, one.get("quality"))
    return [RawReading(sensor, stamp, {name: value}) for stamp, value in of_times.items()]
