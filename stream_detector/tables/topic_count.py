"""Counts the readings of a topic as they come, each record once, and chooses the span that a training reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ports import Decoder
from stream_detector.readings import Readings
from stream_detector.tables.topic_span import RECORDS_PER_READ, TopicReader, find_features, find_span

#: A record near the end of a log is searched in so many positions: some are transaction markers.
_NEAR = 100
#: Records that one look reads at most.
RECORDS_PER_LOOK = 50_000


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Times of records, [since, until) in milliseconds since 1970."""

    since_ms: int
    until_ms: int


def newest_ms(reader: TopicReader, partitions: Sequence[int]) -> int | None:
    """Return the time of the newest record of a topic; None if it has none. May raise RetriableError."""
    times = []
    for partition in partitions:
        first, end = reader.bounds(partition)
        times.append(_time_near(reader, partition, max(first, end - _NEAR), end))
    return max(times, default=-1) if max(times, default=-1) >= 0 else None


def choose_span(reader: TopicReader, partitions: Sequence[int], longest_ms: int, most_records: int) -> TimeSpan | None:
    """Return the newest span of a topic that is at most so long and holds about so many records; None if there are none.

    The records' own times count, so a history that was written just now, or with the times of the readings, is found alike.
    It begins with the oldest record of a topic that holds less.
    """
    newest = newest_ms(reader, partitions)
    if newest is None:
        return None
    whole = TimeSpan(max(0, newest + 1 - longest_ms), newest + 1)
    span = find_span(reader, partitions, whole.since_ms, None)
    if span.length <= most_records:
        oldest = [_oldest_from(reader, partition, start, stop) for partition, (start, stop) in span.positions.items()]
        return TimeSpan(max(whole.since_ms, min(oldest)), whole.until_ms)
    share = most_records / span.length
    since = [
        _oldest_from(reader, partition, stop - max(1, int(share * (stop - start))), stop)
        for partition, (start, stop) in span.positions.items()
    ]
    return TimeSpan(max(whole.since_ms, *since), whole.until_ms)


def _time_near(reader: TopicReader, partition: int, start: int, stop: int) -> int:
    """Return the newest time of the records in [start, stop); -1 if there are none."""
    records = reader.read(partition, start, stop, _NEAR).records if start < stop else ()
    return max((record.timestamp for record in records), default=-1)


def _oldest_from(reader: TopicReader, partition: int, start: int, stop: int) -> int:
    """Return the time of the first records from a position on; -1 if there are none near it."""
    records = reader.read(partition, start, min(stop, start + _NEAR), _NEAR).records
    return min((record.timestamp for record in records), default=-1)


@dataclass(slots=True)
class SensorCount:
    """Readings of one sensor, and the event times that they span."""

    readings: int
    first_ms: int
    last_ms: int

    @property
    def per_minute(self) -> float:
        """Return the readings per minute of event time; 0 if there is no span."""
        span = self.last_ms - self.first_ms
        return 60_000 * (self.readings - 1) / span if span > 0 else 0.0


@dataclass(slots=True)
class TopicCount:
    """Counts the readings of a topic by sensor, from the beginning of a span on, and reads every record once."""

    reader: TopicReader
    decoder_of: Callable[[tuple[str, ...]], Decoder]  # returns what decodes readings of these features
    of_input: InputReader  # says where a record has its features
    bucket_ms: int | None = None  # messages of a sensor within it are one reading
    sensors: dict[str, SensorCount] = field(default_factory=dict)
    records: int = 0
    _positions: dict[int, int] = field(default_factory=dict)
    _decoder: Decoder | None = None

    @property
    def readings(self) -> int:
        """Return the number of readings so far."""
        return sum(sensor.readings for sensor in self.sensors.values())

    @property
    def per_minute(self) -> float:
        """Return how many readings all sensors send per minute of event time."""
        return sum(sensor.per_minute for sensor in self.sensors.values())

    def look(self, partitions: Sequence[int], longest_ms: int, is_enough: Callable[[TopicCount], bool]) -> None:
        """Count records that were not counted yet, until it is enough, there are no more, or RECORDS_PER_LOOK were read.

        Raises InputDataError while no record shows features, and RetriableError.
        """
        self._begin(partitions, longest_ms)
        if self._decoder is None or not self._positions:
            return
        ends = {partition: reader_end for partition in self._positions for _, reader_end in [self.reader.bounds(partition)]}
        most = self.records + RECORDS_PER_LOOK
        while self.records < most and not is_enough(self):
            behind = [partition for partition, position in self._positions.items() if position < ends[partition]]
            for partition in behind:
                self._count(partition, ends[partition])
            if not behind:
                return

    def _begin(self, partitions: Sequence[int], longest_ms: int) -> None:
        """Find where to start in each partition that is new, and what decodes its readings."""
        for partition in partitions:
            if partition in self._positions:
                continue
            newest = newest_ms(self.reader, [partition])
            if newest is not None:
                self._positions[partition] = self.reader.position_at(partition, max(0, newest - longest_ms))
        if self._decoder is None and self._positions:
            features = find_features(self.reader, find_span(self.reader, tuple(self._positions), None, None), self.of_input)
            self._decoder = self.decoder_of(features)

    def _count(self, partition: int, end: int) -> None:
        assert self._decoder is not None
        learn_before(self.reader, self._decoder, partition, self._positions[partition])
        chunk = self.reader.read(partition, self._positions[partition], end, RECORDS_PER_READ)
        self._add(self._decoder.decode(chunk.records).readings)
        if self._decoder.memory is not None:
            self._decoder.memory.read_to(partition, chunk.stop)
        self.records += len(chunk.records)
        self._positions[partition] = chunk.stop

    def _add(self, readings: Readings) -> None:
        for name, time_ms in zip(readings.sensors, readings.times_ms.tolist(), strict=True):
            sensor = self.sensors.get(name)
            if sensor is None:
                self.sensors[name] = SensorCount(1, time_ms, time_ms)
                continue
            sensor.readings += not self.bucket_ms or time_ms // self.bucket_ms != sensor.last_ms // self.bucket_ms
            sensor.first_ms, sensor.last_ms = min(sensor.first_ms, time_ms), max(sensor.last_ms, time_ms)
