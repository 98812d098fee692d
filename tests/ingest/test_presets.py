"""Each preset reads the sample of its page, and is recognised by it; its other forms; what does not fit is told."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from stream_detector.ingest.presets.catalog import NATIVE, PRESETS, preset_of
from stream_detector.ingest.shapes import explain_record
from stream_detector.settings.input_settings import Preset
from tests.ingest.foreign import foreign, read, reason
from tests.ingest.preset_pages import DOCS, SAMPLES


def test_the_settings_name_the_presets_and_each_has_a_page() -> None:
    assert set(get_args(Preset)) == {NATIVE, *PRESETS, "influx", "otlp", "sparkplug"}
    assert SAMPLES.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_reads_its_sample_and_is_recognised_by_it(name: str) -> None:
    sample, readings = SAMPLES[name]

    assert [list(one) for one in read(sample, preset=name)] == readings
    assert preset_of(sample, foreign(sample)) == name


TELEGRAF = {"name": "press", "tags": {"host": "p1"}, "fields": {"t": 1.5}, "timestamp": 1795417920}
KEPWARE = [{"id": "Line.Press.T", "v": 1.5, "q": True, "t": 5}, {"id": "Line.Pump.T", "v": 2.5, "q": True, "t": 5}]
HEADERS = [("ce_specversion", b"1.0"), ("ce_source", b"/north"), ("ce_time", b"2026-11-23T07:12:00Z")]
HUB = [("iothub-connection-device-id", b"p1"), ("iothub-enqueuedtime", b"2026-11-23T07:12:00Z")]


def test_other_forms_of_the_same_tools() -> None:
    assert read(TELEGRAF, preset="telegraf") == [("p1", 1795417920, {"t": 1.5})]
    assert read(KEPWARE, preset="kepware") == [("Line.Press", 5, {"T": 1.5}), ("Line.Pump", 5, {"T": 2.5})]
    assert read({"ts": 5, "values": {"t": 1}}, preset="thingsboard", key=b"p1") == [("p1", 5, {"t": 1})]
    assert read({"t": 1}, preset="thingsboard", key=b"p1") == [("p1", None, {"t": 1})]
    assert read({"t": 1}, preset="cloudevents", headers=HEADERS) == [("/north", "2026-11-23T07:12:00Z", {"t": 1})]
    assert read({"t": 1}, preset="azure-iot", headers=HUB) == [("p1", "2026-11-23T07:12:00Z", {"t": 1})]
    body = {"SystemProperties": {"connectionDeviceId": "p1"}, "Body": "eyJ0IjogMX0=", "EnqueuedTimeUtc": "x"}
    assert read(body, preset="azure-iot") == [("p1", "x", {"t": 1})]
    keep_alive = {
        "MessageType": "ua-data",
        "PublisherId": 3,
        "Messages": [{"MessageType": "ua-keepalive", "DataSetWriterId": 1}],
    }
    assert read(keep_alive, preset="opcua") == []
    single = {"DataSetWriterId": 4, "PublisherId": "plc", "Payload": {"t": {"Type": 11, "Body": 1.5}}}
    assert read(single, preset="opcua") == [("plc.4", None, {"t": 1.5})]
    assert read({"op": "d", "before": {"t": 1}, "after": None}, preset="debezium") == []


def test_the_line_protocol_and_opentelemetry_are_presets_whose_sensor_names_tags_or_attributes() -> None:
    line = b"press,host=gw,machine=p1,hall=A temp=1.5 1795417920000000000"
    assert read(line, preset="influx") == [("hall=A,host=gw,machine=p1", 1795417920000000000, {"press.temp": 1.5})]
    assert read(line, preset="influx", sensor="hall, machine")[0][0] == "A/p1"

    point = {"timeUnixNano": "1795417920000000000", "asDouble": 1.5, "attributes": [_attribute("axis", "x")]}
    resource = {"attributes": [_attribute("host.name", "p1"), _attribute("asset", "press")]}
    metrics = [{"name": "vibration", "gauge": {"dataPoints": [point]}}]
    document = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
    assert read(document, preset="otlp") == [("p1", "1795417920000000000", {"vibration[axis=x]": 1.5})]
    assert read(document, preset="otlp", sensor="asset")[0][0] == "press"


def test_the_pages_of_the_line_protocol_and_of_opentelemetry_say_what_is_read_in_their_samples() -> None:
    line = _sample_of("influxdb.md", "").encode()
    values = {"pump.temperature": 61.2, "pump.pressure": 4, "pump.running": True, "speed": 1500}
    assert read(line, preset="influx") == [("host=pump-7,site=north", 1795417920250000000, values)]
    assert read(line, preset="influx", sensor="site,host")[0][0] == "north/pump-7"

    document = json.loads(_sample_of("opentelemetry.md", "json"))
    assert read(document, preset="otlp") == [("pump-7", "1795417920250000000", {"temperature": 61.2, "vibration[axis=x]": 0.4})]


def _sample_of(page: str, language: str) -> str:
    return (DOCS / page).read_text().split(f"\n```{language}\n", 1)[1].split("```", 1)[0]


def _attribute(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}


def test_settings_replace_a_part_of_a_preset() -> None:
    assert read(TELEGRAF, preset="telegraf", sensor="{name}/{tags.host}", feature_prefix="{name}.") == [
        ("press/p1", 1795417920, {"press.t": 1.5})
    ]
    assert read(KEPWARE, preset="kepware", tag_pattern="", sensor="id", feature="id") == [
        ("Line.Press.T", 5, {"Line.Press.T": 1.5}),
        ("Line.Pump.T", 5, {"Line.Pump.T": 2.5}),
    ]
    assert read({"id": "p1", "at": 7, "t": 1.5}, preset="flat", sensor="id", time="at") == [("p1", 7, {"t": 1.5})]


def test_what_does_not_fit_names_the_path_what_was_found_and_the_shape_it_looks_like() -> None:
    code, detail = reason({**TELEGRAF, "tags": {"hall": "A"}}, preset="telegraf")
    assert code == "sensor_missing"
    for part in ("'tags.host'", "INPUT__SENSOR", "tags (hall)"):
        assert part in detail

    code, detail = reason(TELEGRAF, preset="kepware")
    assert code == "values_missing"
    for part in ("'values'", "INPUT__PRESET=telegraf reads that"):
        assert part in detail


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"flat"}))
def test_without_a_preset_a_dead_letter_names_the_one_that_reads_the_record(name: str) -> None:
    assert f"STREAM_DETECTOR_INPUT__PRESET={name} reads that" in explain_record(json.dumps(SAMPLES[name][0]).encode())
