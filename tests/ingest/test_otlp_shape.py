"""OpenTelemetry metrics, in JSON and in Protobuf."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.otlp_shape import OtlpShape
from stream_detector.ingest.record_shape import RawReading
from tests.ingest.registry_records import record

TIME_NS = 1_800_000_000_000_000_000


def attributes(**texts: str) -> list[dict[str, object]]:
    return [{"key": name.replace("_", "."), "value": {"stringValue": text}} for name, text in texts.items()]


def point(value: Mapping[str, object], **texts: str) -> dict[str, object]:
    return {"timeUnixNano": str(TIME_NS), "attributes": attributes(**texts), **value}


def metrics(*found: Mapping[str, object], **resource: str) -> dict[str, Any]:
    scope = {"metrics": list(found)}
    return {"resourceMetrics": [{"resource": {"attributes": attributes(**resource)}, "scopeMetrics": [scope]}]}


def gauge(name: str, *points: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "gauge": {"dataPoints": list(points)}}


def both(document: dict[str, Any]) -> list[list[RawReading]]:
    """Return the readings of the JSON and of the Protobuf form, with numbers as numbers."""
    forms = [json.dumps(document).encode(), ParseDict(document, MetricsData()).SerializeToString()]
    return [
        [RawReading(one.sensor, one.stamp and int(one.stamp), dict(one.values)) for one in OtlpShape().read(record(form))]
        for form in forms
    ]


def test_gauges_and_sums_of_one_resource_and_time_are_one_reading_in_both_forms() -> None:
    document = metrics(
        gauge("temperature", point({"asDouble": 61.5})),
        {"name": "vibration", "sum": {"dataPoints": [point({"asDouble": 0.0}, axis="x"), point({"asDouble": 2.5}, axis="y")]}},
        service_name="pumps",
        host_name="pump-7",
    )
    values = {"temperature": 61.5, "vibration[axis=x]": 0.0, "vibration[axis=y]": 2.5}
    expected = [RawReading("pump-7", TIME_NS, values)]
    assert both(document) == [expected, expected]


def test_the_instance_of_a_service_is_the_sensor_before_its_host() -> None:
    document = metrics(gauge("t", point({"asDouble": 1.0})), host_name="edge", service_instance_id="pump-7")
    assert [found[0].sensor for found in both(document)] == ["pump-7", "pump-7"]


def test_an_attribute_of_the_data_point_names_the_sensor_if_the_resource_does_not() -> None:
    document = metrics(gauge("t", point({"asDouble": 1.0}, host_name="pump-7", axis="x")))
    assert [(found[0].sensor, dict(found[0].values)) for found in both(document)] == [("pump-7", {"t[axis=x]": 1.0})] * 2


def test_without_a_known_attribute_all_attributes_of_the_data_point_are_the_sensor() -> None:
    document = metrics(gauge("t", point({"asDouble": 1.0}, pump="7", line="2")))
    assert [(found[0].sensor, dict(found[0].values)) for found in both(document)] == [("line=2,pump=7", {"t": 1.0})] * 2


def test_a_data_point_that_names_nothing_is_said() -> None:
    with pytest.raises(RejectionError) as caught:
        OtlpShape().read(record(json.dumps(metrics(gauge("t", point({"asDouble": 1.0})), os="linux")).encode()))
    assert caught.value.reason == "sensor_missing"
    assert "attributes: os" in caught.value.detail


def test_integers_are_texts_in_json_and_numbers_in_protobuf() -> None:
    document = metrics(gauge("t", point({"asInt": "5"})), host_name="a")
    assert [found[0].values["t"] for found in both(document)] == ["5", 5]


def test_histograms_are_counted_and_not_read() -> None:
    shape = OtlpShape()
    histogram = {"name": "h", "histogram": {"dataPoints": [point({"count": "1"}), point({"count": "2"})]}}
    found = shape.read(record(json.dumps(metrics(histogram, host_name="a")).encode()))
    assert (found, dict(shape.ignored)) == ([], {"histogram": 2})


def test_a_data_point_without_a_recorded_value_is_missing_and_one_without_a_time_has_that_of_its_record() -> None:
    shown = {"flags": 1, "asDouble": 0.0, "timeUnixNano": "0"}
    found = OtlpShape().read(record(json.dumps(metrics(gauge("t", shown), host_name="a")).encode()))
    assert found == [RawReading("a", None, {"t": None})]


@pytest.mark.parametrize("length", [123, 130])
def test_the_form_is_told_by_content_also_where_a_length_looks_like_a_bracket(length: int) -> None:
    message = MetricsData()
    message.resource_metrics.add().schema_url = "x" * (length - 2)  # 123 is the code of {
    value = message.SerializeToString()

    assert value[1] == length or length > 127
    assert OtlpShape().read(record(value)) == []
    assert OtlpShape().read(record(b'\n{"resourceMetrics": []}')) == []


@pytest.mark.parametrize("value", [b'{"sensor_id": "a"}', b"[]", b"7", b'{"resourceMetrics": 7}'])
def test_other_json_is_no_metrics(value: bytes) -> None:
    with pytest.raises(RejectionError) as caught:
        OtlpShape().read(record(value))
    assert caught.value.reason == "wrong_format"
