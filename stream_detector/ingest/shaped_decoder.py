"""Decodes records of any shape into readings as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.gathering import Gathered
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.reading_checks import InputLimits, ReadingChecks, too_many
from stream_detector.ingest.record_shape import RawReading
from stream_detector.places import MAXIMUM_READINGS
from stream_detector.readings import Decoded, Record

#: So many sensors are remembered; a topic of invented names must not fill the memory.
_MOST_REMEMBERED = 100_000


class ShapedDecoder:
    """Decodes records by their shape into values of these features, in this order. Implements ports.Decoder.

    A record may hold several readings. Those that cannot be used are one dead letter together; the others are used.
    """

    def __init__(self, features: Sequence[str], limits: InputLimits, reader: InputReader) -> None:
        self._features = tuple(features)
        self._limits = limits
        self._missing = [limits.parsing.missing.of_feature(name) for name in features]
        self._reader = reader
        self._shape, self._selection = reader.shape, reader.selection
        self._accepted = set[str]()  # sensors that passed the checks and the selection
        self.memory = reader.memory
        self.checks = ReadingChecks(features, limits)

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Turn every record into readings, a rejection, both, nothing or a tombstone, whatever the records contain."""
        gathered = Gathered(indices=[], says_null=self._reader.nodes is not None, needs_value=self._limits.assembles)
        read, limit, gather = self._shape.read, self._limits.max_record_bytes, self._gather
        for record in records:
            value = record.value
            if not value:
                gathered.tombstones[record.partition] += 1
                continue
            try:
                if len(value) > limit:
                    raise RejectionError("too_large", f"{len(value)} bytes; the limit is {limit}")
                found = read(record)
                if len(found) > MAXIMUM_READINGS:
                    raise too_many(len(found))
            except RejectionError as rejection:
                gathered.reject(record, rejection)
                continue
            if len(found) > 1:
                gathered.has_several = True
            elif not found:
                gathered.exclude(record, "record")
            gather(gathered, record, found)
        decoded = gathered.decoded(self._features, self._missing, self.checks, records)
        nodes = self._reader.nodes
        if nodes is None:
            return decoded
        deaths = [one for one in nodes.take_deaths() if self._selection.has_sensor(one.sensor)]
        return replace(decoded, missing=nodes.take_missing(), deaths=deaths)

    def learn(self, records: Sequence[Record]) -> None:
        """Remember records, whatever they contain, without their readings."""
        self._reader.learn(records)

    def _gather(self, gathered: Gathered, record: Record, found: Sequence[RawReading | RejectionError]) -> None:
        assert gathered.indices is not None
        for index, reading in enumerate(found):
            try:
                if isinstance(reading, RejectionError):
                    raise reading
                sensor, values = reading.sensor, reading.values
                if sensor not in self._accepted and not self._is_accepted(sensor):
                    gathered.exclude(record, "reading")
                    continue
                if self._selection.is_of_features and not (values := self._selected(gathered, record, values)):
                    continue
                if not values:
                    raise RejectionError("values_missing", "the reading has no values")
                strangers: tuple[str, ...] = ()
                if not values.keys() <= self.checks.known:
                    values, strangers = self._known(gathered, record, values)
                    if not values and not self.checks.ignores_messages:
                        continue
                time = self.checks.time_ms(sensor, reading.stamp, record)
                if strangers and self._limits.assembles:
                    gathered.note_unknown(record, index, sensor, time[0], strangers)
                if not values:
                    gathered.exclude(record, "value", max(1, len(strangers)))
                    continue
                gathered.add(record, sensor, time, values, strangers)
                gathered.indices.append(index)
            except RejectionError as rejection:
                part = f"reading {index + 1} of {len(found)} in the record: " if len(found) > 1 else ""
                gathered.reject(record, RejectionError(rejection.reason, part + rejection.detail))

    def _is_accepted(self, sensor: str) -> bool:
        """Return whether the settings select a sensor; raise RejectionError if its name is none."""
        self.checks.check_sensor(sensor)
        is_accepted = self._selection.has_sensor(sensor)
        if is_accepted and len(self._accepted) < _MOST_REMEMBERED:
            self._accepted.add(sensor)
        return is_accepted

    def _selected(self, gathered: Gathered, record: Record, values: Mapping[str, object]) -> Mapping[str, object]:
        """Return the values that the settings select, and count the others; raise RejectionError if there are none at all."""
        if not values:
            raise RejectionError("values_missing", "the reading has no values")
        kept = {name: value for name, value in values.items() if self._selection.has_feature(name)}
        if len(kept) < len(values):
            gathered.exclude(record, "value", len(values) - len(kept))
        return kept

    def _known(
        self, gathered: Gathered, record: Record, values: Mapping[str, object]
    ) -> tuple[Mapping[str, object], tuple[str, ...]]:
        """Return the values of known features; none if a node has sent others only, which is counted. Raise RejectionError.

        The second part are unknown features that stand there where known ones are lacking.
        """
        ignores_changes = self._limits.ignore_unknown_features and not self._limits.assembles
        if self.memory is not None and ignores_changes and not values.keys() & self.checks.known:
            self.checks.look_at_unknown(values)
            gathered.exclude(record, "value", len(values))  # a node sends what has changed only
            return {}, ()
        return self.checks.known_values(values, record)
