"""Decodes JSON records into readings as columns.

    {"sensor_id": "pump-7", "timestamp": "2026-11-23T07:12:00.250Z", "values": {"temperature": 61.2, "pressure": null}}

`timestamp` may be ISO 8601 (without a zone: UTC), epoch seconds or milliseconds, or absent (then the record's own).
A feature that is absent, null or NaN is a missing value. A name that is not a feature of the model causes a rejection, unless
the limits say to ignore it. A fast typed decoder reads plain JSON; lenient_json.py tries the records that it rejects.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from stream_detector.ingest.document import Document, RejectionError
from stream_detector.ingest.lenient_json import read_leniently
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.readings import Decoded, Float64Array, Readings, Record, Rejected
from stream_detector.timestamps import EPOCH_MILLISECONDS_FROM, MAXIMUM_TIME_MS, MINIMUM_TIME_MS, to_ms

logger = logging.getLogger(__name__)

_FLOAT32_MAXIMUM = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Limits within which the decoder accepts a reading."""

    max_record_bytes: int = 65_536
    max_sensor_id_bytes: int = 256
    max_future_ms: int = 3_600_000
    ignore_unknown_features: bool = False  # False: they cause a rejection. True: one known feature suffices
    parsing: Parsing = USUAL_PARSING


class JsonDecoder:
    """Decodes JSON into values of these features, in this order. Implements ports.Decoder."""

    def __init__(self, features: Sequence[str], limits: InputLimits) -> None:
        self._features = tuple(features)
        self._known = frozenset(features)
        self._limits = limits
        self._decode = msgspec.json.Decoder(Document).decode
        self._ignored_any = False

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into one reading or one rejection, whatever the records contain."""
        accepted: list[Record] = []
        rejected: list[Rejected] = []
        sensors: list[str] = []
        times_ms: list[int] = []
        rows: list[dict[str, float | None]] = []
        for record in records:
            try:
                reading = self._read(record)
                time_ms = self._time_ms(reading, record)
            except RejectionError as rejection:
                rejected.append(Rejected(record, rejection.reason, rejection.detail))
                continue
            accepted.append(record)
            sensors.append(reading.sensor_id)
            times_ms.append(time_ms)
            rows.append(reading.values)
        count = len(accepted)
        readings = Readings(
            sensors=sensors,
            partitions=np.fromiter((record.partition for record in accepted), np.int32, count),
            offsets=np.fromiter((record.offset for record in accepted), np.int64, count),
            times_ms=np.array(times_ms, np.int64),
            values=self._columns(rows),
            stamps_ms=np.fromiter((record.timestamp for record in accepted), np.int64, count),
        )
        return Decoded(readings, rejected)

    def _columns(self, rows: Sequence[dict[str, float | None]]) -> Float64Array:
        """Return the features' values [N, F]; NaN where missing."""
        columns = [np.array([row.get(name) for row in rows], np.float64) for name in self._features]  # None -> NaN
        return np.stack(columns, axis=1)

    def _read(self, record: Record) -> Document:
        """Decode one record and check everything but its time; raise RejectionError if it is not a reading."""
        value = record.value
        if not value:
            raise RejectionError("empty", "the record has no value")
        if len(value) > self._limits.max_record_bytes:
            raise RejectionError("too_large", f"{len(value)} bytes; the limit is {self._limits.max_record_bytes}")
        try:
            reading = self._decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            reading = read_leniently(value, self._known if self._limits.ignore_unknown_features else None)
        if not reading.sensor_id or not reading.sensor_id.strip():
            raise RejectionError("sensor_missing", "sensor_id is empty")
        if 4 * len(reading.sensor_id) > self._limits.max_sensor_id_bytes:
            self._check_sensor(reading.sensor_id)
        if not reading.values:
            raise RejectionError("values_missing", "values is empty")
        if not reading.values.keys() <= self._known:
            reading.values = self._known_values(reading.values, record)
        for name, number in reading.values.items():
            if number is not None and not abs(number) <= _FLOAT32_MAXIMUM and not math.isnan(number):
                raise RejectionError("not_finite", f"{name} is infinite or beyond the range of float32")
        return reading

    def _known_values(self, values: dict[str, float | None], record: Record) -> dict[str, float | None]:
        """Return the values of known features; raise RejectionError if there are none or if unknown ones cause a rejection."""
        kept = {name: number for name, number in values.items() if name in self._known}
        if self._ignored_any and kept:
            return kept
        unknown = ", ".join(map(repr, sorted(values.keys() - self._known)[:5]))[:400]
        if not self._limits.ignore_unknown_features or not kept:
            raise RejectionError("unknown_features", f"not features of the model: {unknown}")
        self._ignored_any = True
        where = f"{record.topic} partition {record.partition} offset {record.offset}"
        logger.info("from now on ignoring features that the model does not know; the first were in %s: %s", where, unknown)
        return kept

    def _check_sensor(self, sensor: str) -> None:
        length = len(sensor.encode())
        if length > self._limits.max_sensor_id_bytes:
            raise RejectionError(
                "sensor_too_long", f"sensor_id has {length} bytes; the limit is {self._limits.max_sensor_id_bytes}"
            )

    def _time_ms(self, reading: Document, record: Record) -> int:
        """Return the event time, checked against the record's own time; raise RejectionError if it is missing or unusable."""
        stamp = reading.timestamp
        if stamp is None:
            if record.timestamp < 0:
                raise RejectionError("time_missing", "neither the reading nor the record has a time")
            time_ms = record.timestamp
        elif isinstance(stamp, datetime):
            time_ms = to_ms(stamp)
        elif not math.isfinite(stamp):
            raise RejectionError("time_out_of_range", "timestamp is not a finite number")
        else:
            time_ms = int(stamp if abs(stamp) >= EPOCH_MILLISECONDS_FROM else round(stamp * 1000))
        if not MINIMUM_TIME_MS <= time_ms <= MAXIMUM_TIME_MS:
            raise RejectionError("time_out_of_range", f"not between 1970 and 2100: {time_ms} ms since 1970"[:200])
        if 0 <= record.timestamp < time_ms - self._limits.max_future_ms:
            raise RejectionError("time_in_future", f"{(time_ms - record.timestamp) / 1000:.0f} s after the record was written")
        return time_ms
