"""Decodes JSON records into readings as columns.

    {"sensor_id": "pump-7", "timestamp": "2026-11-23T07:12:00.250Z", "values": {"temperature": 61.2, "pressure": null}}

`timestamp` may be ISO 8601, a number of seconds or of a finer unit since 1970, or absent (then the record's own).
A feature that is absent, null or NaN is a missing value; so is one whose value cannot be used, which is counted. A reading
without any usable value is rejected. A name that is not a feature of the model causes a rejection, unless the limits say to
ignore it. A fast typed decoder reads plain JSON; lenient_json.py tries the records that it rejects.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from stream_detector.ingest.document import Document, RejectionError
from stream_detector.ingest.feature_names import is_number
from stream_detector.ingest.lenient_json import read_leniently
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.ingest.shapes import time_hint
from stream_detector.ingest.times import has_zone, number_time, text_time
from stream_detector.ingest.value_columns import Columns, value_columns
from stream_detector.readings import Decoded, Float64Array, Readings, Record, Rejected
from stream_detector.timestamps import MAXIMUM_TIME_MS, duration

logger = logging.getLogger(__name__)


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
        self._missing = [limits.parsing.missing.of_feature(name) for name in features]
        self._zone = limits.parsing.zone
        self._decode = msgspec.json.Decoder(Document).decode
        self._ignored_any = self._skipped_any = self._untimed_any = False
        self.met_unknown = False  # a number of a feature that is not among these, since this was last set

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into one reading, rejection or tombstone, whatever the records contain."""
        accepted: list[Record] = []
        rejected: list[Rejected] = []
        sensors: list[str] = []
        times_ms: list[int] = []
        later: dict[int, int] = {}
        rows: list[dict[str, Any]] = []
        tombstones = Counter[int]()
        for record in records:
            if not record.value:
                tombstones[record.partition] += 1
                continue
            try:
                reading = self._read(record, record.value)
                time_ms, later_ms = self._time_ms(reading, record)
            except RejectionError as rejection:
                rejected.append(Rejected(record, rejection.reason, rejection.detail))
                continue
            if later_ms:
                later[len(accepted)] = later_ms
            accepted.append(record)
            sensors.append(reading.sensor_id)
            times_ms.append(time_ms)
            rows.append(reading.values)
        columns = value_columns(rows, self._features, self._missing)
        readings = _readings(accepted, sensors, times_ms, columns.values)
        decoded = Decoded(self._with_later(readings, later) if later else readings, rejected, tombstones)
        if not columns.unusable:
            return decoded
        return _without_unusable(decoded, accepted, columns, records)

    def _read(self, record: Record, value: bytes) -> Document:
        """Decode one record and check everything but time and values; raise RejectionError if it is not a reading."""
        if len(value) > self._limits.max_record_bytes:
            raise RejectionError("too_large", f"{len(value)} bytes; the limit is {self._limits.max_record_bytes}")
        try:
            reading = self._decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            reading = read_leniently(value)
        if not reading.sensor_id or not reading.sensor_id.strip():
            raise RejectionError("sensor_missing", "sensor_id is empty")
        if 4 * len(reading.sensor_id) > self._limits.max_sensor_id_bytes:
            self._check_sensor(reading.sensor_id)
        if not reading.values:
            raise RejectionError("values_missing", "values is empty")
        if not reading.values.keys() <= self._known:
            reading.values = self._known_values(reading.values, record)
        return reading

    def _known_values(self, values: dict[str, Any], record: Record) -> dict[str, Any]:
        """Return the values of known features; raise RejectionError if there are none or if unknown ones cause a rejection."""
        self.met_unknown = self.met_unknown or any(
            is_number(value, name, self._limits.parsing.missing) for name, value in values.items() if name not in self._known
        )
        kept = {name: number for name, number in values.items() if name in self._known}
        if self._ignored_any and kept:
            return kept
        unknown = ", ".join(map(repr, sorted(values.keys() - self._known)[:5]))[:400]
        if not self._limits.ignore_unknown_features or not kept:
            raise RejectionError(
                "unknown_features", f"not features of the model: {unknown}; it has {', '.join(self._features)[:400]}"
            )
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

    def _with_later(self, readings: Readings, later: Mapping[int, int]) -> Readings:
        """Return the readings with local times that come twice, and say, once, if there are such that do not come at all."""
        for row, delay_ms in later.items():
            if delay_ms < 0 and not self._skipped_any:
                self._skipped_any = True
                text = "times of %s are in the hour that %s skips: its clock may not follow this zone; taken as not yet changed"
                logger.warning(text, readings.sensors[row], self._zone)
        later_ms = np.zeros(len(readings), np.int64)
        later_ms[list(later)] = np.maximum(list(later.values()), 0)
        return replace(readings, later_ms=later_ms)

    def _time_ms(self, reading: Document, record: Record) -> tuple[int, int]:
        """Return the event time and how much later it comes again (text_time), checked against the record's own time.

        Raise RejectionError if it is missing or unusable.
        """
        stamp, later_ms = reading.timestamp, 0
        if stamp is None:
            self._say_untimed(record)
            if record.timestamp < 0:
                raise RejectionError("time_missing", "neither the reading nor the record has a time")
            if record.timestamp > MAXIMUM_TIME_MS:
                raise RejectionError("time_out_of_range", f"the record's time is after 2100: {record.timestamp} ms since 1970")
            time_ms = record.timestamp
        elif isinstance(stamp, str):
            time_ms, later_ms = text_time(stamp, self._zone)
        else:
            time_ms = number_time(stamp)
        if 0 <= record.timestamp < time_ms - self._limits.max_future_ms:
            ahead = duration((time_ms - record.timestamp) / 1000)
            what = f"the time of {reading.sensor_id[:40]!r} is {ahead} after its record was written{self._zone_hint(stamp)}"
            raise RejectionError("time_in_future", what)
        return time_ms, later_ms

    def _say_untimed(self, record: Record) -> None:
        """Say, once, that there are readings without a time of their own, and what may be their time."""
        if not self._untimed_any:
            self._untimed_any = True
            hint = time_hint(record.value or b"")
            where = f"{record.topic} partition {record.partition} offset {record.offset}"
            text = "readings without a timestamp take the time at which their record was written; the first is in %s%s"
            logger.log(logging.WARNING if hint else logging.INFO, text, where, hint)

    def _zone_hint(self, stamp: object) -> str:
        """Return a question about a time that is too new, if it may be a local time of a zone that was not named."""
        if self._zone is not None or not isinstance(stamp, str) or has_zone(stamp):
            return ""
        return ": is it a local time? Name its zone in STREAM_DETECTOR_INPUT__TIME_ZONE"


def _readings(records: Sequence[Record], sensors: list[str], times_ms: list[int], values: Float64Array) -> Readings:
    count = len(records)
    return Readings(
        sensors=sensors,
        partitions=np.fromiter((record.partition for record in records), np.int32, count),
        offsets=np.fromiter((record.offset for record in records), np.int64, count),
        times_ms=np.array(times_ms, np.int64),
        values=values,
        stamps_ms=np.fromiter((record.timestamp for record in records), np.int64, count),
    )


def _without_unusable(decoded: Decoded, accepted: Sequence[Record], columns: Columns, records: Sequence[Record]) -> Decoded:
    """Reject the accepted records that have no value left, and count the values that the others lost."""
    rejections = columns.rejections()
    is_kept = np.ones(len(accepted), np.bool_)
    is_kept[list(rejections)] = False
    decoded = replace(decoded, lost=columns.lost(accepted, decoded.readings.sensors, is_kept))
    if not rejections:
        return decoded
    place = {id(record): number for number, record in enumerate(records)}
    rejected = [*decoded.rejected, *(Rejected(accepted[row], one.reason, one.detail) for row, one in rejections.items())]
    rejected.sort(key=lambda one: place[id(one.record)])
    return replace(decoded, readings=decoded.readings.take(is_kept), rejected=rejected)
