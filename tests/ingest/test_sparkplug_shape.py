"""What a Sparkplug message holds; where its topic is; which birth decides; what sequence numbers tell."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.ingest.sparkplug.shape import SparkplugShape
from stream_detector.ingest.sparkplug.topic import parse_topic
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from tests.fakes.memory_log import MemoryRecord
from tests.ingest.sparkplug_messages import (
    BOOLEAN,
    DATETIME,
    DOUBLE,
    FLOAT,
    INT8,
    INT16,
    INT32,
    INT64,
    START_MS,
    STRING,
    UINT64,
    message,
    metric,
    session,
)

NODE, DEVICE = "north/press", "north/press/motor"


def read(shape: SparkplugShape, record: MemoryRecord) -> list[Any]:
    """Return the readings of a record as tuples, and the rejections of its parts by their reasons."""
    return [(one.sensor, one.stamp, one.values) if isinstance(one, RawReading) else one.reason for one in shape.read(record)]


def born() -> SparkplugShape:
    """Return a shape that has read the births of a node and its device, at offsets 0 and 1."""
    shape = SparkplugShape()
    shape.read(message("north/NBIRTH/press", [session(3), metric("Fan", 1.5, alias=1)], offset=0, seq=0))
    metrics = [metric("Temp", 20.0, alias=2), metric("Level", -5, alias=3, datatype=INT16)]
    shape.read(message("north/DBIRTH/press/motor", metrics, offset=1, seq=1))
    return shape


def test_a_birth_is_a_reading_of_its_names() -> None:
    metrics = [
        session(3),
        metric("Node Control/Rebirth", value=False, datatype=BOOLEAN),
        metric("Temp", 20.5, alias=2),
        metric("On", value=True, datatype=BOOLEAN),
        metric("Built", START_MS, datatype=DATETIME),
        metric("Mode", "auto", datatype=STRING),
        metric("Gone", None),
    ]
    assert read(SparkplugShape(), message("north/NBIRTH/press", metrics)) == [
        (NODE, START_MS, {"Temp": 20.5, "On": True, "Mode": "auto", "Gone": None})
    ]


@pytest.mark.parametrize(
    ("value", "datatype", "expected"),
    [
        (-1, INT8, -1),
        (-128, INT8, -128),
        (127, INT8, 127),
        (-300, INT16, -300),
        (-(2**31), INT32, -(2**31)),
        (-(2**63), INT64, -(2**63)),
        (2**63, UINT64, 2**63),
        (0.5, FLOAT, 0.5),
        (0.1, DOUBLE, 0.1),
    ],
)
def test_numbers_of_every_type(value: float, datatype: int, expected: float) -> None:
    record = message("north/NDATA/press", [metric("a", value, datatype=datatype)])
    assert read(SparkplugShape(), record) == [(NODE, START_MS, {"a": expected})]


def test_a_signed_byte_that_was_written_in_eight_bits_is_signed() -> None:
    record = message("north/NDATA/press", [metric("a", 0xFF, datatype=INT8)])
    assert read(SparkplugShape(), record) == [(NODE, START_MS, {"a": -1})]


def test_values_that_are_no_numbers_are_there_and_unusable() -> None:
    record = message("north/NDATA/press", [metric("a", b"\xff\xfe", datatype=17), metric("b", 1.0)])
    decoded = ShapedDecoder(("a", "b"), InputLimits(), input_reader(InputSettings(preset="sparkplug"))).decode([record])
    assert decoded.readings.values[0, 1] == 1.0
    (lost,) = decoded.lost[0]
    assert (lost.feature, lost.reason) == ("a", "wrong_type")


@pytest.mark.parametrize(("quality", "value"), [(192, 5.0), (0, "Bad: quality 0"), (500, "Bad: quality 500")])
def test_a_value_of_bad_or_stale_quality_is_missing(quality: int, value: object) -> None:
    record = message("north/NDATA/press", [metric("a", 5.0, quality=quality)])
    assert read(SparkplugShape(), record) == [(NODE, START_MS, {"a": value})]


def test_aliases_are_resolved_by_the_births_of_their_node_and_device() -> None:
    shape = born()
    assert read(shape, message("north/NDATA/press", [metric(value=2.5, alias=1)], offset=2)) == [(NODE, START_MS, {"Fan": 2.5})]
    aliases = [metric(value=21.5, alias=2), metric(value=-7, alias=3, datatype=INT16, says_type=False)]
    assert read(shape, message("north/DDATA/press/motor", aliases, offset=3)) == [
        (DEVICE, START_MS, {"Temp": 21.5, "Level": -7})
    ]


def test_an_alias_that_no_birth_names_is_rejected_and_its_neighbours_are_read() -> None:
    record = message("north/DDATA/press/motor", [metric(value=1.0, alias=2), metric(value=2.0, alias=9)], offset=2)
    found = born().read(record)
    assert found[0] == RawReading(DEVICE, START_MS, {"Temp": 1.0})
    assert isinstance(found[1], RejectionError)
    assert (found[1].reason, "alias 9" in found[1].detail, "Rebirth" in found[1].detail) == ("alias_unknown", True, True)


def test_a_device_has_to_be_born_again_after_its_node() -> None:
    shape = born()
    shape.read(message("north/NBIRTH/press", [session(4), metric("Fan", 1.5, alias=5)], offset=2))
    data = message("north/DDATA/press/motor", [metric(value=1.0, alias=2)], offset=3)
    assert read(shape, data) == ["alias_unknown"]
    shape.read(message("north/DBIRTH/press/motor", [metric("Speed", 1.0, alias=2)], offset=4))
    assert read(shape, dataclasses.replace(data, offset=5)) == [(DEVICE, START_MS, {"Speed": 1.0})]


def test_a_message_that_is_read_again_is_read_as_before() -> None:
    shape = born()
    data = message("north/NDATA/press", [metric(value=1.0, alias=1)], offset=2)
    shape.read(message("north/NBIRTH/press", [metric("Other", 1.5, alias=1)], offset=4))
    assert read(shape, data) == [(NODE, START_MS, {"Fan": 1.0})]
    assert read(shape, dataclasses.replace(data, offset=5)) == [(NODE, START_MS, {"Other": 1.0})]


def test_metrics_of_other_times_are_readings_of_their_own_in_the_order_of_time() -> None:
    metrics = [
        metric("a", 1.0, at_ms=START_MS + 10),
        metric("b", 2.0),
        metric("a", 0.5, at_ms=START_MS - 500, is_historical=True),
    ]
    assert read(SparkplugShape(), message("north/NDATA/press", metrics)) == [
        (NODE, START_MS - 500, {"a": 0.5}),
        (NODE, START_MS, {"b": 2.0}),
        (NODE, START_MS + 10, {"a": 1.0}),
    ]


@pytest.mark.parametrize("kind", ["NCMD/press", "DCMD/press/motor", "NDEATH/press", "DDEATH/press/motor"])
def test_commands_and_deaths_have_no_reading(kind: str) -> None:
    assert (
        read(SparkplugShape(), message(f"north/{kind}", [metric("Node Control/Rebirth", value=True, datatype=BOOLEAN)])) == []
    )


def test_a_message_without_any_feature_of_the_model_is_counted_and_no_dead_letter() -> None:
    limits = InputLimits(ignore_unknown_features=True)
    decoder = ShapedDecoder(("a",), limits, input_reader(InputSettings(preset="sparkplug")))
    decoded = decoder.decode([message("north/NDATA/press", [metric("b", 1.0)])])
    assert (len(decoded.readings), decoded.rejected, decoded.excluded[0]["value"]) == (0, [], 1)
    assert decoder.checks.met_unknown


@pytest.mark.parametrize(
    ("text", "sensor", "kind"),
    [
        ("spBv1.0/north/DDATA/press/motor", DEVICE, "DDATA"),
        ('"spBv1.0/north/NBIRTH/press"', NODE, "NBIRTH"),
        ('{"topic": "spBv1.0/a b/DDATA/press 1/m", "id": 3}', "a b/press 1/m", "DDATA"),
        ("spBv1.0.north.DDEATH.press.motor", DEVICE, "DDEATH"),
        ("mqtt.spBv1.0.north.NDATA.press", NODE, "NDATA"),
        ("spBv1.0_north_DDATA_press_motor", DEVICE, "DDATA"),
    ],
)
def test_topics_are_found_in_other_text(text: str, sensor: str, kind: str) -> None:
    topic = parse_topic(text)
    assert topic is not None
    assert (topic.sensor, topic.kind) == (sensor, kind)


@pytest.mark.parametrize("text", ["", "plant", "spBv1.0/north/XDATA/press", "spBv1.0", "spBv1.0//NDATA/press"])
def test_other_text_is_no_topic(text: str) -> None:
    assert parse_topic(text) is None


def test_state_of_host_applications_is_ignored() -> None:
    record = dataclasses.replace(message("x"), headers=(), key=b"spBv1.0/STATE/scada", value=b'{"online": true}')
    assert read(SparkplugShape(), record) == []


@pytest.mark.parametrize("place", ["key", "topic", "setting"])
def test_the_topic_may_be_elsewhere(place: str) -> None:
    text = "spBv1.0/north/NDATA/press"
    record = dataclasses.replace(message("", [metric("a", 1.0)]), headers=())
    if place == "key":
        record = dataclasses.replace(record, key=text.encode())
    elif place == "topic":
        record = dataclasses.replace(record, topic=text.replace("/", "."))
    else:
        record = dataclasses.replace(record, headers=(("from", text.encode()), ("old", b"spBv1.0/x/NDATA/y")))
    settings = InputSettings(preset="sparkplug", sensor="$header.from" if place == "setting" else None)
    assert [one.sensor for one in input_reader(settings).readings_in(record)] == [NODE]


def test_a_record_without_a_topic_says_where_it_was_looked_for() -> None:
    record = dataclasses.replace(message("", [metric("a", 1.0)]), headers=(("id", b"7"),))
    with pytest.raises(RejectionError, match="no Sparkplug topic") as caught:
        SparkplugShape().read(record)
    assert (caught.value.reason, "headers: id" in caught.value.detail) == ("sensor_missing", True)


def test_bytes_of_something_else_are_rejected() -> None:
    record = dataclasses.replace(message("north/NDATA/press"), value=b'{"a": 1}')
    with pytest.raises(RejectionError, match="no Sparkplug B payload"):
        SparkplugShape().read(record)


def test_missing_messages_are_counted_once_a_node_is_followed() -> None:
    shape = SparkplugShape()
    shape.read(message("north/NBIRTH/press", [session(1)], offset=0, seq=0))
    for seq in range(1, 9):
        shape.read(message("north/NDATA/press", [metric("a", 1.0)], offset=seq, seq=seq))
    assert shape.take_missing() == {}
    gap = message("north/DDATA/press/motor", [metric("a", 1.0)], offset=10, seq=12)
    shape.read(gap)
    assert shape.take_missing() == {0: {NODE: 3}}
    shape.read(gap)  # it is read again, because its batch was put back
    assert shape.take_missing() == {0: {NODE: 3}}
    shape.read(message("north/NDATA/press", [metric("a", 1.0)], offset=11, seq=12))  # delivered twice
    shape.read(message("north/NBIRTH/press", [session(2)], offset=12, seq=0))
    shape.read(message("north/NDATA/press", [metric("a", 1.0)], offset=13, seq=1))
    assert shape.take_missing() == {}


def test_after_255_comes_0() -> None:
    shape = SparkplugShape()
    for number in range(600):
        shape.read(message("north/NDATA/press", [metric("a", 1.0)], offset=number, seq=number % 256))
    assert shape.take_missing() == {}


def test_nodes_whose_messages_are_spread_over_partitions_are_not_followed() -> None:
    shape = SparkplugShape()
    for number in range(0, 300, 3):
        shape.read(message("north/NDATA/press", [metric("a", 1.0)], offset=number, seq=number % 256))
    assert shape.take_missing() == {}


def test_what_a_birth_no_longer_names_is_null_from_then_on() -> None:
    shape = born()
    later = [metric("Level", -6, alias=4, datatype=INT16)]

    assert read(shape, message("north/DBIRTH/press/motor", later, offset=5)) == [
        (DEVICE, START_MS, {"Level": -6, "Temp": None})
    ]
    assert read(shape, message("north/DBIRTH/press/motor", [], offset=6)) == [(DEVICE, START_MS, {"Level": None})]
    assert read(shape, message("north/DBIRTH/press/motor", later, offset=5))[0][2] == {"Level": -6, "Temp": None}  # read again


def test_only_what_a_message_says_is_null_and_not_what_it_leaves_out() -> None:
    features = ("Temp", "Level", "Fan")
    limits, reader = InputLimits(ignore_unknown_features=True), input_reader(InputSettings(preset="sparkplug"))
    decoder = ShapedDecoder(features, limits, reader)
    named = [metric(name, 1.0, alias=alias) for alias, name in enumerate(features)]
    sent = [
        [metric(value=2.0, alias=0)],
        [metric(value=None, alias=1)],
        [metric(value=2.0, alias=0), metric(value=7.0, alias=2, quality=0)],
    ]
    records = [message("north/NDATA/press", metrics, offset=offset) for offset, metrics in enumerate(sent, 1)]
    decoder.decode([message("north/NBIRTH/press", named)])

    nulls = decoder.decode(records).readings.nulls
    assert nulls is not None
    assert nulls.tolist() == [[False, False, False], [False, True, False], [False, False, True]]
    assert decoder.decode(records[:1]).readings.nulls is None
