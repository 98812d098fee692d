"""What the readings of a sample say: sensors, intervals, features, whether metrics come one by one, whether keys hold."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.discovery.scan_rate import scan_seconds
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.reading_checks import InputLimits, ReadingChecks
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.times import has_zone
from stream_detector.readings import Record
from stream_detector.state.pace import GAP_INTERVALS, GAP_PAUSES
from stream_detector.values import Unusable, parse_value

#: Seconds that people choose for a bucket.
_BUCKETS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_VALUES = 2_000
#: Fewer steps say little of a sensor's usual pauses.
_FEWEST_STEPS = 50
#: Metrics come one by one if a message has at most this share of a sensor's features.
_PARTIAL = 0.5
#: The same of Sparkplug nodes, whose births have all features.
_PARTIAL_OF_NODES = 0.8
#: A number that no sensor ever changes is told by this many values of each.
_MANY_EACH = 20
#: A counter rises in nearly all its steps; this share at least.
_RISING = 0.98


@dataclass(slots=True)
class FeatureProfile:
    """What a feature's values look like."""

    readings: int = 0
    numbers: int = 0
    distinct: set[float] = field(default_factory=set)
    texts: Counter[str] = field(default_factory=Counter)
    rises: int = 0
    falls: int = 0
    ones: int = 0  # rises by one, of a sensor or from record to record of a partition
    sensors: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """What it seems to be, in a word; empty: a measurement."""
        if not self.numbers:
            return "text"
        if len(self.distinct) == 1:
            return "constant"
        if self.numbers >= _MANY_EACH * max(1, len(self.sensors)) and not self.rises and not self.falls:
            return "fixed"
        if self.distinct <= {0.0, 1.0}:
            return "flag"
        if self.rises >= 20 and self.rises >= _RISING * (self.rises + self.falls) and len(self.distinct) > 20:
            return "counter"
        return (
            "code" if self.numbers >= 100 and len(self.distinct) <= 8 and all(one.is_integer() for one in self.distinct) else ""
        )


@dataclass(slots=True)
class SensorProfile:
    """What the readings of a sensor look like."""

    times_ms: list[int] = field(default_factory=list)
    partitions: set[int] = field(default_factory=set)
    features: set[str] = field(default_factory=set)
    message_features: int = 0  # of all messages together
    feature_times: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    feature_values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # at these times
    ahead_ms: list[int] = field(default_factory=list)  # how far times of its own are ahead of their records'

    def interval_seconds(self) -> float:
        """Return the median time between two of its readings at different times; 0 if there is none."""
        return _median_step(self.times_ms)

    def gap_seconds(self, bucket_seconds: float | None) -> float | None:
        """Return the pause that is a gap, as the stream has it, of readings or of buckets; None if there are too few."""
        times = np.unique(np.array(self.times_ms, np.int64) // (1 if bucket_seconds is None else round(1000 * bucket_seconds)))
        steps = np.diff(times) * (0.001 if bucket_seconds is None else bucket_seconds)
        if len(steps) < _FEWEST_STEPS:
            return None
        return float(max(GAP_INTERVALS * np.median(steps), GAP_PAUSES * np.percentile(steps, 99)))


@dataclass(slots=True)
class Profile:
    """The readings of a sample."""

    records: int = 0
    readings: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    example: str = ""
    sensors: dict[str, SensorProfile] = field(default_factory=dict)
    features: dict[str, FeatureProfile] = field(default_factory=dict)
    is_of_nodes: bool = False  # of Sparkplug, which send what changes; a node itself may have a single feature
    newest_ms: int = -1
    oldest_ms: int = 1 << 62
    zoneless: int = 0  # readings whose time is text without a zone
    zoneless_example: str = ""

    @property
    def interval_seconds(self) -> float:
        """The median of the sensors' intervals."""
        found = [seconds for one in self.sensors.values() if (seconds := one.interval_seconds()) > 0]
        return float(np.median(found)) if found else 0.0

    @property
    def jitter(self) -> float:
        """How much longer one in ten steps is than the median, as a share of it; of the sensors' median."""
        found = [jitter for one in self.sensors.values() if (jitter := _jitter(one.times_ms)) is not None]
        return float(np.median(found)) if found else 0.0

    @property
    def is_one_by_one(self) -> bool:
        """Whether the features of most sensors come in messages of their own."""
        several = [one for one in self.sensors.values() if len(one.features) > 1]
        share = _PARTIAL_OF_NODES if self.is_of_nodes else _PARTIAL
        partial = [one for one in several if one.message_features <= share * len(one.features) * len(one.times_ms)]
        return (self.is_of_nodes or 2 * len(several) > len(self.sensors)) and 2 * len(partial) > len(several)

    @property
    def is_unkeyed(self) -> bool:
        """Whether most sensors come from several partitions."""
        return 2 * sum(len(one.partitions) > 1 for one in self.sensors.values()) > len(self.sensors)

    def bucket_seconds(self) -> float:
        """Return the time between two scans of most features, or between two of their values: a number that people choose."""
        usual = self.scan()[0] or 1.0
        return float(min(_BUCKETS, key=lambda seconds: abs(np.log(seconds / usual))))

    def scan(self) -> tuple[float, bool]:
        """See scan_seconds."""
        return scan_seconds(times for one in self.sensors.values() for times in one.feature_times.values())


def profile_of(records: Sequence[Record], reader: InputReader, limits: InputLimits) -> Profile:
    """Read a sample, in any order of partitions, as the stream would."""
    profile, checks = Profile(is_of_nodes=reader.nodes is not None), ReadingChecks((), limits)
    last: dict[tuple[str | int, str], float] = {}
    for record in records:
        if not record.value:
            continue
        profile.records += 1
        try:
            found = reader.shape.read(record)
        except RejectionError as error:
            found = [error]
        for one in found:
            try:
                if isinstance(one, RejectionError):
                    raise one
                if reader.selection.has_sensor(one.sensor):
                    time_ms = checks.time_ms(one.sensor, one.stamp, record)[0]
                    _add(profile, record, one, time_ms, last)
                    _compare(profile, record, one, time_ms)
            except RejectionError as error:
                profile.rejected[error.reason] += 1
                profile.example = profile.example or f"partition {record.partition} offset {record.offset}: {error.detail}"
    return profile


def _add(profile: Profile, record: Record, reading: RawReading, time_ms: int, last: dict[tuple[str | int, str], float]) -> None:
    sensor = profile.sensors.setdefault(reading.sensor, SensorProfile())
    profile.readings += 1
    profile.newest_ms, profile.oldest_ms = max(profile.newest_ms, time_ms), min(profile.oldest_ms, time_ms)
    sensor.times_ms.append(time_ms)
    sensor.partitions.add(record.partition)
    for name, value in reading.values.items():
        feature = profile.features.setdefault(name, FeatureProfile())
        feature.readings += 1
        parsed = parse_value(value, frozenset())
        if isinstance(parsed, Unusable) or math.isnan(parsed):
            feature.texts[str(value)[:40]] += 1
            continue
        feature.numbers += 1
        feature.sensors.add(reading.sensor)
        sensor.features.add(name)
        sensor.message_features += 1
        sensor.feature_times[name].append(time_ms)
        sensor.feature_values[name].append(parsed)
        before = last.get((reading.sensor, name))
        feature.ones += parsed - 1 in (before, last.get((record.partition, name)))
        feature.rises += before is not None and parsed > before
        feature.falls += before is not None and parsed < before
        last[reading.sensor, name] = last[record.partition, name] = parsed
        if len(feature.distinct) < _MOST_VALUES:
            feature.distinct.add(parsed)


def _compare(profile: Profile, record: Record, reading: RawReading, time_ms: int) -> None:
    """Note how far the time of a reading is ahead of that of its record, and whether it has a zone."""
    if reading.stamp is None or record.timestamp < 0:
        return
    profile.sensors[reading.sensor].ahead_ms.append(time_ms - record.timestamp)
    if isinstance(reading.stamp, str) and not has_zone(reading.stamp):
        profile.zoneless += 1
        profile.zoneless_example = reading.stamp


def _median_step(times_ms: Sequence[int]) -> float:
    steps = np.diff(np.unique(np.array(times_ms, np.int64)))
    return float(np.median(steps)) / 1000 if len(steps) else 0.0


def _jitter(times_ms: Sequence[int]) -> float | None:
    steps = np.diff(np.unique(np.array(times_ms, np.int64)))
    return float(np.percentile(steps, 90) / np.median(steps)) - 1.0 if len(steps) >= 10 else None
