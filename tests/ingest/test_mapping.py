"""A mapping of one's own: the forms of values, times, qualities, and several readings in a record."""

from __future__ import annotations

from typing import Any

import pytest

from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.places import MAXIMUM_READINGS
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from tests.ingest.foreign import foreign, read, reason

PAIRS = {
    "plant": "north",
    "at": 1795417920,
    "metrics": [
        {"asset": "p1", "name": "t", "value": 1.5, "q": 192},
        {"asset": "p2", "name": "t", "value": 2.5, "q": 0},
        {"asset": "p1", "name": "f", "value": 3.5, "q": 216},
    ],
}


def test_the_forms_of_values() -> None:
    document = {"id": "p1", "ts": 5, "motor": {"t": 1.5, "inner": {"f": 2}}, "state": "on"}
    at: dict[str, Any] = {"sensor": "id", "time": "ts"}

    assert read(document, **at, values="motor") == [("p1", 5, {"t": 1.5, "inner.f": 2})]
    assert read(document, **at, values=".") == [("p1", 5, {"motor.t": 1.5, "motor.inner.f": 2, "state": "on"})]
    assert read({"sensor_id": "p", "the time": 5, "t": 1}, time='"the time"', values=".") == [("p", 5, {"t": 1})]
    assert read(document, **at, features={"temp": "motor.t", "gone": "nothing"}) == [("p1", 5, {"temp": 1.5})]
    assert read(document | {"run": 2}, **at, values="motor", features={"run": "run", "gone": "nothing"}) == [
        ("p1", 5, {"t": 1.5, "inner.f": 2, "run": 2})
    ]
    assert read({"tag": "p1.t", "ts": 5, "v": 1.5}, sensor="tag", time="ts", value="v") == [("p1.t", 5, {"value": 1.5})]
    assert read({"asset": "p1", "tag": "t", "v": 1.5}, sensor="asset", feature="tag", value="v") == [("p1", None, {"t": 1.5})]


def test_what_stands_beside_the_time_or_the_sensor_in_an_object_is_a_feature() -> None:
    document = {
        "kopf": {"nr": 7, "zeit": 5},
        "anlage": {"kennung": "p1", "bj": 2018},
        "messung": {"zeit": 6, "guete": {"code": 192}, "wert": {"ist": 1.5}},
    }

    assert read(document, sensor="anlage.kennung", time="messung.zeit", quality="messung.guete.code", values=".") == [
        ("p1", 6, {"kopf.nr": 7, "kopf.zeit": 5, "anlage.bj": 2018, "messung.wert.ist": 1.5})
    ]
    assert read(document, sensor="{anlage.kennung}/{anlage.bj}", time="kopf.zeit", feature_prefix="{kopf.nr}-", values=".") == [
        ("p1/2018", 5, {"7-kopf.nr": 7, "7-messung.zeit": 6, "7-messung.guete.code": 192, "7-messung.wert.ist": 1.5})
    ]
    assert read({"id": "p", "at": [{"ms": 5}], "t": 1}, sensor="id", time="at[0].ms", values=".") == [("p", 5, {"t": 1})]


def test_pairs_of_one_sensor_and_time_are_one_reading_and_take_what_the_record_has() -> None:
    found = read(PAIRS, sensor="{plant}/{asset}", time="at", items="metrics", feature="name", value="value")

    assert found == [("north/p1", 1795417920, {"t": 1.5, "f": 3.5}), ("north/p2", 1795417920, {"t": 2.5})]


@pytest.mark.parametrize(
    ("patterns", "bad"),
    [({}, True), ({"good_quality": ["0", "192"]}, False), ({"bad_quality": ["0"]}, True), ({"bad_quality": ["1"]}, False)],
)
def test_a_value_of_bad_quality_is_a_word_that_means_missing(patterns: dict[str, Any], bad: bool) -> None:
    found = read(PAIRS, sensor="asset", time="at", items="metrics", feature="name", value="value", quality="q", **patterns)

    assert found[1] == ("p2", 1795417920, {"t": "Bad: quality 0" if bad else 2.5})


def test_qualities_by_feature() -> None:
    document = {"sensor_id": "p1", "values": {"t": 1, "f": 2}, "quality": {"t": "Bad", "f": "Good"}}

    assert read(document, quality="quality") == [("p1", None, {"t": "Bad: quality Bad", "f": 2})]


def test_several_readings_of_a_record_and_the_one_that_is_none() -> None:
    document = {"site": "n", "rows": [{"id": "p1", "values": {"t": 1}}, {"values": {"t": 2}}, {"id": "p3", "values": {"t": 3}}]}

    assert read(document, sensor="{site}-{id}", readings="rows") == [
        ("n-p1", None, {"t": 1}),
        "sensor_missing",
        ("n-p3", None, {"t": 3}),
    ]
    assert read([{"sensor_id": 7, "values": {"t": 1}}], readings="rows") == [("7", None, {"t": 1})]


@pytest.mark.parametrize(
    ("stamp", "settings", "found"),
    [
        (1795417920, {"time_unit": "s"}, 1795417920000),
        (1795417920.25, {"time_unit": "s"}, 1795417920250),
        ("1795417920250000001", {"time_unit": "ns"}, 1795417920250),
        (1795417920250999, {"time_unit": "us"}, 1795417920250),
        ("23.11.2026 07:12:00", {"time_format": "%d.%m.%Y %H:%M:%S"}, "2026-11-23T07:12:00"),
        (1795417920, {}, 1795417920),
    ],
)
def test_a_time_of_any_unit_or_format(stamp: object, settings: dict[str, Any], found: object) -> None:
    assert read({"sensor_id": "p", "timestamp": stamp, "values": {"t": 1}}, values="values", **settings) == [
        ("p", found, {"t": 1})
    ]


def test_a_time_that_does_not_fit_is_said() -> None:
    document = {"sensor_id": "p", "timestamp": "7:12", "values": {"t": 1}}

    assert reason(document, time_format="%d.%m.%Y") == ("wrong_type", "the time '7:12' is not written as '%d.%m.%Y'")
    assert reason(document, values="values", time_unit="s") == ("wrong_type", "the time '7:12' is not a number of s")
    assert reason({**document, "timestamp": [1]}, values="values")[0] == "wrong_type"


def test_what_is_missing_is_named_with_its_setting() -> None:
    assert reason({"a": 1}, sensor="id", values=".") == (
        "sensor_missing",
        "the sensor is not there: nothing at 'id' (STREAM_DETECTOR_INPUT__SENSOR); found a",
    )
    assert reason({"id": "p"}, sensor="id", values="v")[0] == "values_missing"
    assert reason({"id": "p", "m": [{"v": 1}]}, sensor="id", items="m", feature="n", value="v")[0] == "values_missing"
    assert reason(3, sensor="id", values=".")[0] == "wrong_type"
    assert reason(b"no json", sensor="id", values=".")[0] == "not_json"


def test_a_record_that_holds_no_reading_is_counted() -> None:
    settings = InputSettings(sensor="id", items="points", feature="name", value="value")
    decoder = ShapedDecoder(("t",), InputLimits(), input_reader(settings))

    empty, other = ({"id": "p", "points": points} for points in ([], [{"name": "t", "value": 1}]))
    decoded = decoder.decode([foreign(empty), foreign(other)])

    assert decoded.excluded == {0: {"record": 1}}
    assert (len(decoded), len(decoded.readings)) == (2, 1)


def test_each_name_that_the_model_does_not_know_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    decoder = ShapedDecoder(
        ("t",), InputLimits(ignore_unknown_features=True), input_reader(InputSettings(sensor="id", values="."))
    )
    records = [foreign({"id": "p", "t": 1, name: 2}) for name in ("dewpoint", "t_oel", "dewpoint")]

    with caplog.at_level("INFO"):
        decoder.decode(records)

    assert [message.rpartition(": ")[2] for message in caplog.messages if "does not know" in message] == [
        "'dewpoint'",
        "'t_oel'",
    ]


def test_a_sensor_whose_name_cannot_be_written_is_a_dead_letter() -> None:
    decoder = ShapedDecoder(("t",), InputLimits(), input_reader(InputSettings(sensor="id", values="v")))

    decoded = decoder.decode([foreign(b'{"id": "\\ud800", "v": {"t": 1}}'), foreign({"id": "ü", "v": {"t": 1}})])

    assert [one.reason for one in decoded.rejected] == ["wrong_type"]
    assert decoded.readings.sensors == ["ü"]


def test_a_record_of_more_readings_than_a_place_can_tell_is_a_dead_letter() -> None:
    decoder = ShapedDecoder(("t",), InputLimits(max_record_bytes=10**7), input_reader(InputSettings(sensor="id", values=".")))

    decoded = decoder.decode([foreign([{"id": "p", "t": 1}] * (MAXIMUM_READINGS + 1))])

    assert [one.reason for one in decoded.rejected] == ["too_large"]


def test_the_unit_of_times_alone_is_a_mapping_of_the_native_format() -> None:
    assert read({"sensor_id": "p", "timestamp": 5, "values": {"t": 1}}, time_unit="s") == [("p", 5000, {"t": 1})]
