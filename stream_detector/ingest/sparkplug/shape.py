"""The readings in Sparkplug B messages. A sensor is GROUP/NODE, or GROUP/NODE/DEVICE.

A birth names the metrics of a node or a device, with an alias for each; later messages may have the alias only, and only what
changed. Metrics of one message with different times are different readings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.sources import Source
from stream_detector.ingest.sparkplug.births import NO_SESSION, Birth, Births
from stream_detector.ingest.sparkplug.layouts import LayoutReader
from stream_detector.ingest.sparkplug.names import SESSION, is_measured
from stream_detector.ingest.sparkplug.payload import SparkplugPayload, payload_reader
from stream_detector.ingest.sparkplug.topic import BIRTHS, DATA, DEATHS, SparkplugTopic, topic_finder
from stream_detector.readings import Death, Record
from stream_detector.timestamps import MAXIMUM_TIME_MS

_MOST_NAMED = 8


class _Message(NamedTuple):
    record: Record
    topic: SparkplugTopic
    payload: SparkplugPayload


class SparkplugShape:
    """Finds the readings in the messages of nodes. Implements RecordShape."""

    def __init__(self, source: Source | None = None, *, has_shortcut: bool = True) -> None:
        """`source` says where the MQTT topic is, if not in a header, the key or the topic. Needs the package protobuf.

        The shortcut reads most messages of data, as the long way does, in less time.
        """
        self.topic_of = topic_finder(source)
        self._payload = payload_reader()
        self._layouts = LayoutReader() if has_shortcut else None
        self.births = Births()
        #: Whether the partitions are one log, in the order of the records' times: then births of one decide in all others.
        self.is_one_log = False
        #: Messages that are missing by the sequence numbers, of each partition's nodes, since this was last taken.
        self._missing: dict[int, Counter[str]] = {}
        self._deaths: list[Death] = []

    def read(self, record: Record) -> Sequence[RawReading | RejectionError]:
        """See RecordShape. Messages of one partition come in log order; some may come again."""
        topic = self.topic_of(record)
        if topic.kind in DATA and (found := self._known_readings(record, topic)):
            return found
        if topic.is_ignored:
            return ()
        message = _Message(record, topic, self._payload(record.value or b""))
        self._follow(record, topic, message.payload.seq)
        if topic.kind in DEATHS:
            self._deaths += self._deaths_in(message)
            return ()
        birth, gone = self._birth(message), self._gone(message)
        if self._layouts is not None and topic.kind in DATA:
            self._layouts.learn(record.value or b"", message.payload, birth)
        return _readings(message, birth, gone)

    def learn(self, record: Record) -> None:
        """Remember a record if it is a birth, whatever it contains; its readings are not wanted."""
        try:
            topic = self.topic_of(record)
            if topic.kind in BIRTHS and record.value:
                self._birth(_Message(record, topic, self._payload(record.value)))
        except RejectionError:
            return

    def is_birth(self, record: Record) -> bool:
        """Return whether a record is a birth, by its topic."""
        try:
            return self.topic_of(record).kind in BIRTHS
        except RejectionError:
            return False

    def take_missing(self) -> dict[int, Counter[str]]:
        """Return how many messages are missing, by partition and node, since the last call."""
        missing, self._missing = self._missing, {}
        return missing

    def take_deaths(self) -> list[Death]:
        """Return which sensors are gone, since the last call."""
        deaths, self._deaths = self._deaths, []
        return deaths

    def _deaths_in(self, message: _Message) -> list[Death]:
        """Return whom a death is about: a device, or a node and all its devices. Those that were never born are not known.

        The broker sends the death of a connection late: not if the node is born again meanwhile, which the numbers tell. Its
        message was written when the connection began, so its time is that of the record.
        """
        record, topic, payload = message
        log, place = self._log(record), self._place(record)
        birth = self.births.at(log, topic.node, "", place)
        if topic.device:
            is_born = self.births.at(log, topic.node, topic.device, place).offset >= 0
            sensors = [topic.sensor] if is_born else []
            time_ms = payload.timestamp or record.timestamp
        else:
            is_other = NO_SESSION not in (birth.session, session_of(payload)) and birth.session != session_of(payload)
            sensors = [] if is_other or birth.offset < 0 else [topic.node, *self.births.devices(log, topic.node, place)]
            time_ms = record.timestamp if record.timestamp >= 0 else payload.timestamp
        time_ms = min(max(0, time_ms), MAXIMUM_TIME_MS)
        return [Death(record.partition, record.offset, sensor, time_ms, topic.kind) for sensor in sensors]

    def _known_readings(self, record: Record, topic: SparkplugTopic) -> list[RawReading] | None:
        """Return the readings of a message of data whose layouts are known; None: it has to be read in full."""
        if self._layouts is None:
            return None
        log, place = (0, self._place(record)) if self.is_one_log else (record.partition, record.offset)
        birth = self.births.at(log, topic.node, topic.device, place)
        known = self._layouts.read(record.value or b"", birth.layouts)
        if known is None:
            return None
        seq, rows = known
        self._follow(record, topic, seq)
        in_order = rows.items() if len(rows) == 1 else sorted(rows.items())
        return [RawReading(topic.sensor, time or None, values) for time, values in in_order]

    def _follow(self, record: Record, topic: SparkplugTopic, seq: int | None) -> None:
        if topic.kind == "NDEATH":
            return  # the broker sends it, without a number of its own
        begins = topic.kind == "NBIRTH"
        missing = self.births.sequences.missing(record.partition, topic.node, record.offset, seq, begins=begins)
        if missing:
            self._missing.setdefault(record.partition, Counter())[topic.node] += missing

    def _birth(self, message: _Message) -> Birth:
        """Return the birth that decides for a message; if it is one itself, remember it."""
        record, topic, payload = message
        if topic.kind not in BIRTHS:
            return self.births.at(self._log(record), topic.node, topic.device, self._place(record))
        named = [one for one in payload.metrics if one.name]
        birth = Birth(
            self._place(record),
            session_of(payload),
            {one.alias: one.name for one in named if one.alias is not None},
            {one.name: one.datatype for one in named},
        )
        self.births.add(self._log(record), topic.sensor, birth)
        return birth

    def _gone(self, message: _Message) -> list[str]:
        """Return the measurements that the birth before a birth names and it does not: they have no value from then on."""
        record, topic, payload = message
        if topic.kind not in BIRTHS:
            return []
        before = self.births.before(self._log(record), topic.sensor, self._place(record)).types
        here = {one.name for one in payload.metrics}
        return [name for name, datatype in before.items() if name not in here and is_measured(name, datatype)]

    def _log(self, record: Record) -> int:
        return 0 if self.is_one_log else record.partition

    def _place(self, record: Record) -> int:
        return max(0, record.timestamp) if self.is_one_log else record.offset


def session_of(payload: SparkplugPayload) -> int:
    """Return the number of the node's connection that a birth or a death of it names; NO_SESSION if it names none."""
    found = [one.raw for one in payload.metrics if one.name == SESSION and isinstance(one.raw, int)]
    return found[0] if found else NO_SESSION


def _readings(message: _Message, birth: Birth, gone: Sequence[str]) -> list[RawReading | RejectionError]:
    """Return the readings of a message, those of earlier times first."""
    unknown: list[int] = []
    rows: dict[int, dict[str, object]] = {}
    for metric in message.payload.metrics:
        name = metric.name or (birth.names.get(metric.alias) if metric.alias is not None else "")
        if name is None:
            unknown.append(metric.alias or 0)
        elif not name:
            return [RejectionError("wrong_format", f"a metric of {message.topic.sensor} has neither a name nor an alias")]
        elif is_measured(name, metric.datatype or birth.types.get(name, 0)):
            rows.setdefault(metric.timestamp or message.payload.timestamp, {})[name] = metric.value(birth.types.get(name, 0))
    if gone:
        rows.setdefault(max(rows, default=message.payload.timestamp), {}).update(dict.fromkeys(gone))
    sensor = message.topic.sensor
    found: list[RawReading | RejectionError] = [RawReading(sensor, time or None, rows[time]) for time in sorted(rows)]
    return [*found, _unknown(message.topic, unknown, is_born=birth.offset >= 0)] if unknown else found


def _unknown(topic: SparkplugTopic, aliases: Sequence[int], *, is_born: bool) -> RejectionError:
    named = ", ".join(map(str, aliases[:_MOST_NAMED])) + (", ..." if len(aliases) > _MOST_NAMED else "")
    birth = "NBIRTH" if not topic.device else "DBIRTH"
    what = (
        f"the newest {birth} of {topic.sensor} does not name"
        if is_born
        else f"no {birth} of {topic.sensor} was read that names"
    )
    cure = (
        f"Have the host application write Node Control/Rebirth = true to node {topic.node}, then send these records again. "
        "If births lie in other partitions, because records are keyed by MQTT topic, set STREAM_DETECTOR_INPUT__REPARTITION"
    )
    return RejectionError("alias_unknown", f"{what} alias {named}. {cure} (docs/sparkplug.md)")
