"""Turns records of any shape into records of the native form, keyed by sensor; what is no reading into dead letters.

Messages of Sparkplug nodes are copied as they are, keyed by node: their meaning depends on births before them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.reading_checks import InputLimits, ReadingChecks, too_many
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.sparkplug.shape import SparkplugShape
from stream_detector.ingest.sparkplug.topic import TOPIC_HEADER
from stream_detector.places import MAXIMUM_READINGS
from stream_detector.readings import Decoded, Header, Message, Readings, Record, Rejected
from stream_detector.rekey.native_json import exact_stamp, native_json

#: The header that says where a reading came from: TOPIC-PARTITION-OFFSET-INDEX. The index counts the readings of a record.
ORIGIN_HEADER = "rekeyed-from"


@dataclass(frozen=True, slots=True)
class Targets:
    """Where readings and dead letters go."""

    readings_topic: str
    dead_letter_topic: str
    max_value_bytes: int  # of a dead letter


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The messages of some records, in order, and what the records were."""

    messages: Sequence[Message]
    readings: int
    decoded: Decoded  # a row per record that was of the shape, without values
    excluded: Counter[str]  # readings and values that settings leave out, and records without any


class Rewriter:
    """Rewrites records. What needs the model is left to the detector: which features there are, and which values are usable."""

    def __init__(self, reader: InputReader, limits: InputLimits, targets: Targets) -> None:
        self._shape, self._selection, self._nodes = reader.shape, reader.selection, reader.nodes
        self._checks = ReadingChecks((), limits)
        self._limits = limits
        self._zone: tzinfo | None = limits.parsing.zone
        self._targets = targets
        self._excluded = Counter[str]()

    @property
    def needs_births(self) -> bool:
        """Whether what a record means depends on births, however long ago they were."""
        return self._nodes is not None

    def is_birth(self, record: Record) -> bool:
        """Return whether a record is a birth, whatever it contains."""
        return self._nodes is not None and self._nodes.is_birth(record)

    def __call__(self, records: Sequence[Record]) -> Rewritten:
        """Rewrite records, whatever they contain."""
        self._excluded = Counter()
        messages: list[Message] = []
        rejected: list[Rejected] = []
        usable: list[Record] = []
        tombstones = Counter[int]()
        readings = 0
        for record in records:
            if not record.value:
                tombstones[record.partition] += 1
                continue
            before = len(rejected)
            written = self._messages(record, len(record.value), rejected)
            readings += len(written)
            messages += written
            if len(rejected) == before:
                usable.append(record)
        targets = self._targets
        messages += (dead_letter(one, targets.dead_letter_topic, targets.max_value_bytes) for one in rejected)
        return Rewritten(messages, readings, Decoded(_rows(usable), rejected, tombstones), self._excluded)

    def _messages(self, record: Record, size: int, rejected: list[Rejected]) -> list[Message]:
        """Return the readings of a record; if parts of it are none, add the record to `rejected`, once."""
        messages: list[Message] = []
        found: Sequence[RawReading | RejectionError]
        try:
            if size > self._limits.max_record_bytes:
                raise RejectionError("too_large", f"{size} bytes; the limit is {self._limits.max_record_bytes}")
            if self._nodes is not None:
                return self._of_node(record, self._nodes)
            found = self._shape.read(record)
            if len(found) > MAXIMUM_READINGS:
                raise too_many(len(found))
            if not found:
                self._excluded["record"] += 1
        except RejectionError as error:
            found = [error]
        wrong: list[RejectionError] = []
        for index, reading in enumerate(found):
            try:
                if isinstance(reading, RejectionError):
                    raise reading
                message = self._message(record, index, reading)
                messages += [message] if message else []
            except RejectionError as error:
                part = f"reading {index + 1} of {len(found)} in the record: " if len(found) > 1 else ""
                wrong.append(RejectionError(error.reason, part + error.detail))
        if wrong:
            more = f"; and {len(wrong) - 1} more parts of this record" if len(wrong) > 1 else ""
            rejected.append(Rejected(record, wrong[0].reason, wrong[0].detail + more))
        return messages

    def _of_node(self, record: Record, nodes: SparkplugShape) -> list[Message]:
        """Return the copy of a node's message, as it is: what its aliases mean is known behind, in the node's order."""
        topic = nodes.topic_of(record)
        if topic.is_ignored:
            self._excluded["record"] += 1
            return []
        headers = ((TOPIC_HEADER, topic.text.encode()), _origin(record, 0))
        time_ms = record.timestamp if record.timestamp >= 0 else None
        return [Message(self._targets.readings_topic, _key(topic.node), record.value, headers, time_ms)]

    def _message(self, record: Record, index: int, reading: RawReading) -> Message | None:
        """Return the copy of a reading; None if the settings leave it out. Raises RejectionError."""
        sensor, values = reading.sensor, reading.values
        self._checks.check_sensor(sensor)
        if not self._selection.has_sensor(sensor):
            self._excluded["reading"] += 1
            return None
        if self._selection.is_of_features:
            values = {name: value for name, value in values.items() if self._selection.has_feature(name)}
            if len(values) < len(reading.values):
                self._excluded["value"] += len(reading.values) - len(values)
            if reading.values and not values:
                return None
        if not values:
            raise RejectionError("values_missing", "the reading has no values")
        self._checks.time_ms(sensor, reading.stamp, record)
        stamp = exact_stamp(reading.stamp, record.timestamp, self._zone)
        time_ms = record.timestamp if record.timestamp >= 0 else None
        value = native_json(sensor, stamp, values)
        return Message(self._targets.readings_topic, _key(sensor), value, (_origin(record, index),), time_ms)


def _origin(record: Record, index: int) -> Header:
    return ORIGIN_HEADER, b"%s-%d-%d-%d" % (record.topic.encode(), record.partition, record.offset, index)


def _key(sensor: str) -> bytes:
    try:
        return sensor.encode()
    except UnicodeEncodeError:
        raise RejectionError("wrong_type", "sensor_id is not valid Unicode") from None


def _rows(records: Sequence[Record]) -> Readings:
    """Return a row for each record, as the limit of dead letters counts them."""
    count = len(records)
    return Readings(
        sensors=[""] * count,
        partitions=np.fromiter((record.partition for record in records), np.int32, count),
        places=np.fromiter((record.offset for record in records), np.int64, count),
        times_ms=np.zeros(count, np.int64),
        values=np.zeros((count, 0)),
    )
