"""The readings in OpenTelemetry metrics, in JSON or in Protobuf."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.lenient_json import parse_json
from stream_detector.ingest.protobuf_reader import message_reader
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.shapes import describe_document
from stream_detector.readings import Record

#: Attributes that name what is measured, the best first.
SENSOR_ATTRIBUTES = ("service.instance.id", "host.name", "device.id", "host.id", "service.name")
#: Kinds of metric that have no single value.
_IGNORED = ("histogram", "exponentialHistogram", "summary")
_NO_RECORDED_VALUE = 1  # a flag of a data point
_KINDS_OF_VALUE = ("stringValue", "boolValue", "intValue", "doubleValue")
_WIRE_BYTE = b"\n"  # with which the Protobuf form begins: field 1, a message

_Object = Mapping[str, object]


class OtlpPayload:
    """Turns OpenTelemetry metrics into a document with the names of its JSON form. Implements Payload."""

    def __init__(self) -> None:
        self._read: Callable[[bytes], object] | None = None

    def document(self, record: Record) -> object:
        """See Payload. The Protobuf form needs the package opentelemetry-proto."""
        value = record.value or b""
        if value[:1] != _WIRE_BYTE:
            return parse_json(value)
        try:
            return _camel(self._protobuf()(value))
        except RejectionError:
            if value.lstrip()[:1] != b"{":
                raise
            return parse_json(value)  # JSON after an empty line

    def _protobuf(self) -> Callable[[bytes], object]:
        if self._read is None:
            from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

            self._read = message_reader(MetricsData)
        return self._read


class OtlpShape:
    """Makes readings of gauges and sums. Implements RecordShape.

    The sensor is the first of `sensor_attributes` that the resource or the data point has; without any, all attributes of the
    data point, as `line=2,pump=7`. Data points of one record with the same sensor and time are one reading. A feature is the
    name of its metric; other attributes of the data point are added, as `vibration[axis=x]`.
    """

    def __init__(self, sensor_attributes: Sequence[str] = SENSOR_ATTRIBUTES) -> None:
        self._payload = OtlpPayload()
        self._sensor_attributes = tuple(sensor_attributes)
        #: Data points of kinds that have no single value, by kind.
        self.ignored: Counter[str] = Counter()

    def read(self, record: Record) -> Sequence[RawReading]:
        """See RecordShape."""
        return self.readings_of(self._payload.document(record))

    def readings_of(self, document: object) -> list[RawReading]:
        """Return the readings in a document, in the order of the first data point of each. Raises RejectionError."""
        if not isinstance(document, dict) or not isinstance(document.get("resourceMetrics"), list):
            raise RejectionError("wrong_format", f"no OpenTelemetry metrics: {describe_document(document)}")
        values: dict[tuple[str, str | float | None], dict[str, object]] = {}
        for one in _objects(document, "resourceMetrics"):
            resource = _attributes(_object(one, "resource"))
            for scope in _objects(one, "scopeMetrics"):
                for metric in _objects(scope, "metrics"):
                    self._add(metric, resource, values)
        return [RawReading(sensor, stamp, features) for (sensor, stamp), features in values.items()]

    def _add(
        self, metric: _Object, resource: Mapping[str, str], values: dict[tuple[str, str | float | None], dict[str, object]]
    ) -> None:
        name = metric.get("name")
        if not isinstance(name, str) or not name:
            raise RejectionError("wrong_format", f"an OpenTelemetry metric without a name: {describe_document(dict(metric))}")
        for kind in _IGNORED:
            if kind in metric:
                self.ignored[kind] += len(_objects(_object(metric, kind), "dataPoints"))
        for kind in ("gauge", "sum"):
            for point in _objects(_object(metric, kind), "dataPoints"):
                sensor, others = self._sensor(name, resource, _attributes(point))
                labels = ",".join(f"{key}={value}" for key, value in sorted(others.items()))
                feature = f"{name}[{labels}]" if labels else name
                values.setdefault((sensor, _time(point)), {})[feature] = _value(point)

    def _sensor(self, metric: str, resource: Mapping[str, str], attributes: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the sensor of a data point, and those of its attributes that do not belong to the sensor's name."""
        for name in self._sensor_attributes:
            if resource.get(name):
                return resource[name], attributes
            if attributes.get(name):
                return attributes[name], {key: value for key, value in attributes.items() if key != name}
        if not attributes:
            found = ", ".join(sorted(resource))[:200] or "none"
            detail = f"neither the resource nor the data point of {metric[:40]!r} names what is measured; attributes: {found}"
            raise RejectionError("sensor_missing", detail)
        return ",".join(f"{key}={value}" for key, value in sorted(attributes.items())), {}


def _value(point: _Object) -> object:
    """Return the value of a data point. JSON writes integers as texts, which are numbers all the same."""
    flags = point.get("flags")
    if isinstance(flags, int) and flags & _NO_RECORDED_VALUE:
        return None
    return point.get("asDouble", point.get("asInt"))


def _time(point: _Object) -> str | float | None:
    """Return the time of a data point in nanoseconds since 1970; None if it has none."""
    stamp = point.get("timeUnixNano")
    if stamp in (None, 0, "0", ""):
        return None
    if isinstance(stamp, bool) or not isinstance(stamp, str | int | float):
        raise RejectionError("wrong_type", "timeUnixNano is not a number")
    return stamp


def _attributes(of: _Object) -> dict[str, str]:
    """Return attributes that have a plain value, as texts."""
    found = {}
    for one in _objects(of, "attributes"):
        key, value = one.get("key"), one.get("value")
        if isinstance(key, str) and isinstance(value, dict):
            plain = next((value[kind] for kind in _KINDS_OF_VALUE if value.get(kind) is not None), None)
            if isinstance(plain, str | int | float):
                found[key] = str(plain).lower() if isinstance(plain, bool) else str(plain)
    return found


def _object(of: _Object, name: str) -> _Object:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _objects(of: _Object, name: str) -> list[_Object]:
    found = of.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _camel(document: object) -> object:
    """Return a document with the names of the JSON form: timeUnixNano for time_unix_nano."""
    if isinstance(document, dict):
        return {_camel_name(name): _camel(value) for name, value in document.items()}
    return [_camel(one) for one in document] if isinstance(document, list) else document


def _camel_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(one.capitalize() for one in others)
