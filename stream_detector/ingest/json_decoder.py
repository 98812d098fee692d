"""Decodes JSON records of the native format into readings as columns.

    {"sensor_id": "pump-7", "timestamp": "2026-11-23T07:12:00.250Z", "values": {"temperature": 61.2, "pressure": null}}

`timestamp` may be ISO 8601, a number of seconds or of a finer unit since 1970, or absent (then the record's own).
A fast typed decoder reads plain JSON; lenient_json.py tries the records that it rejects.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.ingest.document import Document, RejectionError
from stream_detector.ingest.gathering import Gathered
from stream_detector.ingest.memory import Memory
from stream_detector.ingest.native_shape import read_document
from stream_detector.ingest.reading_checks import InputLimits, ReadingChecks
from stream_detector.readings import Decoded, Record


class JsonDecoder:
    """Decodes JSON into values of these features, in this order. Implements ports.Decoder."""

    def __init__(self, features: Sequence[str], limits: InputLimits) -> None:
        self._features = tuple(features)
        self._limits = limits
        self._missing = [limits.parsing.missing.of_feature(name) for name in features]
        self.checks = ReadingChecks(features, limits)
        self.memory: Memory | None = None

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into one reading, rejection, nothing or a tombstone, whatever the records contain."""
        gathered = Gathered(needs_value=self._limits.assembles)
        read, time_ms, add, assembles = self._read, self.checks.time_ms, gathered.add, self._limits.assembles
        for record in records:
            if not record.value:
                gathered.tombstones[record.partition] += 1
                continue
            try:
                reading, strangers = read(record, record.value)
                time = time_ms(reading.sensor_id, reading.timestamp, record)
            except RejectionError as rejection:
                gathered.reject(record, rejection)
                continue
            if strangers and assembles:
                gathered.note_unknown(record, 0, reading.sensor_id, time[0], strangers)
            if not reading.values:
                gathered.exclude(record, "value", max(1, len(strangers)))
                continue
            add(record, reading.sensor_id, time, reading.values, strangers)
        return gathered.decoded(self._features, self._missing, self.checks, records)

    def learn(self, records: Sequence[Record]) -> None:
        """Do nothing: what a record means does not depend on others."""

    def _read(self, record: Record, value: bytes) -> tuple[Document, tuple[str, ...]]:
        """Decode one record and check everything but time and values; raise RejectionError if it is not a reading.

        The second part are the unknown features of a reading that lacks known ones.
        """
        if len(value) > self._limits.max_record_bytes:
            raise RejectionError("too_large", f"{len(value)} bytes; the limit is {self._limits.max_record_bytes}")
        reading = read_document(value)
        sensor = reading.sensor_id
        if not sensor or sensor.isspace() or 4 * len(sensor) > self._limits.max_sensor_id_bytes:
            self.checks.check_sensor(sensor)
        if not reading.values:
            raise RejectionError("values_missing", "values is empty")
        if not reading.values.keys() <= self.checks.known:
            reading.values, strangers = self.checks.known_values(reading.values, record)
            return reading, strangers
        return reading, ()
