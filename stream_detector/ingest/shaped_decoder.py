"""Decodes records of any shape into readings as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.gathering import Gathered
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.reading_checks import InputLimits, ReadingChecks
from stream_detector.ingest.record_shape import RawReading
from stream_detector.places import MAXIMUM_READINGS
from stream_detector.readings import Decoded, Record


class ShapedDecoder:
    """Decodes records by their shape into values of these features, in this order. Implements ports.Decoder.

    A record may hold several readings. Those that cannot be used are one dead letter together; the others are used.
    """

    def __init__(self, features: Sequence[str], limits: InputLimits, reader: InputReader) -> None:
        self._features = tuple(features)
        self._limits = limits
        self._missing = [limits.parsing.missing.of_feature(name) for name in features]
        self._shape, self._selection = reader.shape, reader.selection
        self.checks = ReadingChecks(features, limits)

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into readings, a rejection, both, nothing or a tombstone, whatever the records contain."""
        gathered = Gathered(indices=[])
        for record in records:
            if not record.value:
                gathered.tombstones[record.partition] += 1
                continue
            try:
                if len(record.value) > self._limits.max_record_bytes:
                    limit = self._limits.max_record_bytes
                    raise RejectionError("too_large", f"{len(record.value)} bytes; the limit is {limit}")
                found = self._shape.read(record)
                if len(found) > MAXIMUM_READINGS:
                    raise RejectionError("too_large", f"{len(found)} readings; a record may have {MAXIMUM_READINGS}")
            except RejectionError as rejection:
                gathered.reject(record, rejection)
                continue
            if not found:
                gathered.exclude(record, "record")
            self._gather(gathered, record, found)
        return gathered.decoded(self._features, self._missing, self.checks, records)

    def _gather(self, gathered: Gathered, record: Record, found: Sequence[RawReading | RejectionError]) -> None:
        assert gathered.indices is not None
        for index, reading in enumerate(found):
            try:
                if isinstance(reading, RejectionError):
                    raise reading
                values = self._checked(gathered, record, reading)
                if values:
                    time = self.checks.time_ms(reading.sensor, reading.stamp, record)
                    gathered.add(record, reading.sensor, time, values)
                    gathered.indices.append(index)
            except RejectionError as rejection:
                part = f"reading {index + 1} of {len(found)} in the record: " if len(found) > 1 else ""
                gathered.reject(record, RejectionError(rejection.reason, part + rejection.detail))

    def _checked(self, gathered: Gathered, record: Record, reading: RawReading) -> Mapping[str, object]:
        """Return the values of a reading that count, none if settings leave it out; raise RejectionError."""
        self.checks.check_sensor(reading.sensor)
        selection, values = self._selection, reading.values
        if not selection.has_sensor(reading.sensor):
            gathered.exclude(record, "reading")
            return {}
        if selection.is_of_features:
            values = {name: value for name, value in values.items() if selection.has_feature(name)}
            if len(values) < len(reading.values):
                gathered.exclude(record, "value", len(reading.values) - len(values))
                if not values:
                    return {}
        if not values:
            raise RejectionError("values_missing", "the reading has no values")
        return values if values.keys() <= self.checks.known else self.checks.known_values(values, record)
