"""Readings on the wire: JSON records to columns.

    {"sensor_id": "pump-7", "timestamp": "2026-11-23T07:12:00.250Z", "values": {"temperature": 61.2, "pressure": null}}

`timestamp` may be ISO 8601 (without a zone: UTC), epoch seconds or milliseconds, or absent (then the record's own).
A feature that is absent, null or NaN is a missing value. A name that is not a feature rejects the record, or is ignored if
the limits say so. A typed decoder takes what is plain JSON; what it refuses goes once through a lenient path, which also
takes a byte order mark, bare NaN, integer sensor ids and ignored features of any type.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from stream_detector.readings import Decoded, Readings, Record, Rejected
from stream_detector.timestamps import EPOCH_MILLISECONDS_FROM, MAXIMUM_TIME_MS, MINIMUM_TIME_MS, to_ms

logger = logging.getLogger(__name__)

_FLOAT32_MAXIMUM = float(np.finfo(np.float32).max)

#: Reason codes of dead letters; docs/input.md explains each.
REASONS = (
    "empty",
    "too_large",
    "not_json",
    "wrong_type",
    "sensor_missing",
    "sensor_too_long",
    "time_missing",
    "time_out_of_range",
    "time_in_future",
    "values_missing",
    "unknown_features",
    "not_finite",
)


class _Refused(Exception):  # noqa: N818 - never leaves this module; it carries a reason, not an error
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class _Reading(msgspec.Struct):
    sensor_id: str
    values: dict[str, float | None]
    timestamp: datetime | float | None = None


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What is accepted as a reading."""

    max_record_bytes: int = 65_536
    max_sensor_id_bytes: int = 256
    max_future_ms: int = 3_600_000
    ignore_unknown_features: bool = False  # read a record without them, if it has one that is known; else reject it


class JsonDecoder:
    """Decodes readings with these features, in this order. Implements ports.Decoder."""

    def __init__(self, features: Sequence[str], limits: InputLimits) -> None:
        self._features = tuple(features)
        self._known = frozenset(features)
        self._limits = limits
        self._decode = msgspec.json.Decoder(_Reading).decode
        self._ignored_any = False

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into one reading or one rejection; never raises on what the records hold."""
        taken: list[Record] = []
        rejected: list[Rejected] = []
        sensors: list[str] = []
        times_ms: list[int] = []
        rows: list[dict[str, float | None]] = []
        for record in records:
            try:
                reading = self._read(record)
                time_ms = self._time_ms(reading, record)
            except _Refused as refused:
                rejected.append(Rejected(record, refused.reason, refused.detail))
                continue
            taken.append(record)
            sensors.append(reading.sensor_id)
            times_ms.append(time_ms)
            rows.append(reading.values)
        count = len(taken)
        columns = [np.array([row.get(name) for row in rows], np.float64) for name in self._features]  # None -> NaN
        return Decoded(
            readings=Readings(
                sensors=sensors,
                partitions=np.fromiter((record.partition for record in taken), np.int32, count),
                offsets=np.fromiter((record.offset for record in taken), np.int64, count),
                times_ms=np.array(times_ms, np.int64),
                values=np.stack(columns, axis=1).astype(np.float32),
            ),
            rejected=rejected,
        )

    def _read(self, record: Record) -> _Reading:
        """Decode and check one record."""
        value = record.value
        if not value:
            raise _Refused("empty", "the record has no value")
        if len(value) > self._limits.max_record_bytes:
            raise _Refused("too_large", f"{len(value)} bytes; the limit is {self._limits.max_record_bytes}")
        try:
            reading = self._decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            reading = _read_leniently(value, self._known if self._limits.ignore_unknown_features else None)
        if not reading.sensor_id or not reading.sensor_id.strip():
            raise _Refused("sensor_missing", "sensor_id is empty")
        if 4 * len(reading.sensor_id) > self._limits.max_sensor_id_bytes:
            self._check_sensor(reading.sensor_id)
        if not reading.values:
            raise _Refused("values_missing", "values is empty")
        if not reading.values.keys() <= self._known:
            reading.values = self._known_values(reading.values, record)
        for name, number in reading.values.items():
            if number is not None and not abs(number) <= _FLOAT32_MAXIMUM and not math.isnan(number):
                raise _Refused("not_finite", f"{name} is infinite or beyond the range of float32")
        return reading

    def _known_values(self, values: dict[str, float | None], record: Record) -> dict[str, float | None]:
        """Return the values but for the unknown ones; raise _Refused where these are not to be ignored, or are all."""
        kept = {name: number for name, number in values.items() if name in self._known}
        if self._ignored_any and kept:
            return kept
        unknown = ", ".join(map(repr, sorted(values.keys() - self._known)[:5]))[:400]
        if not self._limits.ignore_unknown_features or not kept:
            raise _Refused("unknown_features", f"not features of the model: {unknown}")
        self._ignored_any = True
        where = f"{record.topic} partition {record.partition} offset {record.offset}"
        logger.info("features that the model does not know are ignored from now on; the first, in %s: %s", where, unknown)
        return kept

    def _check_sensor(self, sensor: str) -> None:
        length = len(sensor.encode())
        if length > self._limits.max_sensor_id_bytes:
            raise _Refused("sensor_too_long", f"sensor_id has {length} bytes; the limit is {self._limits.max_sensor_id_bytes}")

    def _time_ms(self, reading: _Reading, record: Record) -> int:
        """Return the event time, checked against the record's own."""
        stamp = reading.timestamp
        if stamp is None:
            if record.timestamp < 0:
                raise _Refused("time_missing", "neither the reading nor the record has a time")
            time_ms = record.timestamp
        elif isinstance(stamp, datetime):
            time_ms = to_ms(stamp)
        elif not math.isfinite(stamp):
            raise _Refused("time_out_of_range", "timestamp is not a finite number")
        else:
            time_ms = int(stamp if abs(stamp) >= EPOCH_MILLISECONDS_FROM else round(stamp * 1000))
        if not MINIMUM_TIME_MS <= time_ms <= MAXIMUM_TIME_MS:
            raise _Refused("time_out_of_range", f"not between 1970 and 2100: {time_ms} ms since 1970"[:200])
        if 0 <= record.timestamp < time_ms - self._limits.max_future_ms:
            raise _Refused("time_in_future", f"{(time_ms - record.timestamp) / 1000:.0f} s after the record was written")
        return time_ms


def _read_leniently(value: bytes, only: Collection[str] | None) -> _Reading:
    """Decode what the typed decoder refused, or say why it cannot be. With `only`, other features may hold anything."""
    try:
        text = value.decode("utf-8-sig")
        document = json.loads(text, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise _Refused("not_json", str(error)[:200]) from None
    if not isinstance(document, dict):
        raise _Refused("wrong_type", f"a reading is an object, not {_kind(document)}")
    sensor, values = _sensor(document), _values(document, only)
    return _Reading(sensor_id=sensor, values=values, timestamp=_timestamp(document.get("timestamp")))


def _parse_int(digits: str) -> int:
    """Parse an integer of bounded length: parsing takes quadratic time."""
    if len(digits) > 400:
        msg = "a number has more than 400 digits"
        raise ValueError(msg)
    return int(digits)


def _sensor(document: dict[str, Any]) -> str:
    sensor = document.get("sensor_id")
    if sensor is None:
        raise _Refused("sensor_missing", "there is no sensor_id")
    if isinstance(sensor, bool) or not isinstance(sensor, str | int):
        raise _Refused("wrong_type", f"sensor_id is text, not {_kind(sensor)}")
    try:
        str(sensor).encode()
    except UnicodeEncodeError:
        raise _Refused("wrong_type", "sensor_id is not valid Unicode") from None
    return str(sensor)


def _values(document: dict[str, Any], only: Collection[str] | None) -> dict[str, float | None]:
    values = document.get("values")
    if values is None:
        raise _Refused("values_missing", "there are no values")
    if not isinstance(values, dict):
        raise _Refused("wrong_type", f"values is an object, not {_kind(values)}")
    if only is not None:
        values = {name: number if name in only else None for name, number in values.items()}
    for name, number in values.items():
        if isinstance(number, bool) or not isinstance(number, float | int | None):
            raise _Refused("wrong_type", f"{name[:100]!r} is a number or null, not {_kind(number)}")
    try:
        return {name: None if number is None else float(number) for name, number in values.items()}
    except OverflowError:
        raise _Refused("not_finite", "a value is beyond the range of floating point") from None


def _timestamp(stamp: object) -> datetime | float | None:
    if isinstance(stamp, bool) or not isinstance(stamp, str | float | int | None):
        raise _Refused("wrong_type", f"timestamp is text or a number, not {_kind(stamp)}")
    try:
        if isinstance(stamp, str):
            return datetime.fromisoformat(stamp.strip())
        return None if stamp is None else float(stamp)
    except OverflowError:
        raise _Refused("time_out_of_range", "timestamp is beyond any date") from None
    except ValueError:
        raise _Refused("wrong_type", f"timestamp is not ISO 8601: {stamp!r}"[:200]) from None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
