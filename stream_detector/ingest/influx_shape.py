"""The readings in a record of InfluxDB's line protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.line_protocol import Line, read_lines
from stream_detector.ingest.record_shape import RawReading
from stream_detector.readings import Record

TimeUnit = Literal["ns", "us", "ms", "s"]
#: How many of a unit a millisecond has; seconds are a thousand milliseconds.
_PER_MS: Mapping[str, int] = MappingProxyType({"ns": 1_000_000, "us": 1_000, "ms": 1})


class InfluxShape:
    """Makes readings of the points of a record. Implements RecordShape.

    The sensor is the values of `sensor_tags`, joined by /; without these, all tags, as `host=pump-7,site=north`; of a point
    without tags, its measurement. Points of one record with the same sensor and time are one reading. A feature is
    `measurement.field`; for a field named `value`, the measurement; for a point without tags, the field.
    Times are in `unit`; without it, in the unit that their size tells.
    """

    def __init__(self, sensor_tags: Sequence[str] = (), unit: TimeUnit | None = None) -> None:
        self._sensor_tags = tuple(sensor_tags)
        self._unit = unit

    def read(self, record: Record) -> Sequence[RawReading]:
        """See RecordShape."""
        return self.readings_of(read_lines(record.value or b""))

    def readings_of(self, lines: Sequence[Line]) -> list[RawReading]:
        """Return the readings of points, in the order of the first point of each. Raises RejectionError."""
        values: dict[tuple[str, int | None], dict[str, object]] = {}
        for line in lines:
            features = values.setdefault((self._sensor(line), line.stamp), {})
            for name, value in line.fields.items():
                features[_feature(line, name)] = value
        return [RawReading(sensor, self._time(stamp), features) for (sensor, stamp), features in values.items()]

    def _sensor(self, line: Line) -> str:
        if not self._sensor_tags:
            return ",".join(f"{name}={value}" for name, value in sorted(line.tags.items())) or line.measurement
        for name in self._sensor_tags:
            if name not in line.tags:
                found = ", ".join(sorted(line.tags))[:200] or "none"
                raise RejectionError("sensor_missing", f"{line.measurement[:40]!r} has no tag {name!r}; its tags: {found}")
        return "/".join(line.tags[name] for name in self._sensor_tags)

    def _time(self, stamp: int | None) -> int | None:
        """Return a time as milliseconds since 1970, or as it is if its unit is not known."""
        if stamp is None or self._unit is None:
            return stamp
        return stamp * 1000 if self._unit == "s" else stamp // _PER_MS[self._unit]


def _feature(line: Line, field: str) -> str:
    if not line.tags:
        return field
    return line.measurement if field == "value" else f"{line.measurement}.{field}"
