"""What becomes of a record: readings by sensor, or a dead letter with its origin."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.native_shape import NativeShape
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.record_shape import RawReading, RecordShape
from stream_detector.ingest.selection import Selection
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.places import MAXIMUM_READINGS
from stream_detector.readings import Record
from stream_detector.rekey.rewriter import Rewriter, Targets
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from tests.rekey.records import Rec

TIME_MS = 1_767_300_000_000
EVERYTHING = Selection()
TARGETS = Targets("copy", "dead", max_value_bytes=1000)


class Two:
    """A shape whose records hold two readings, or one and something else."""

    def read(self, record: Record) -> Sequence[RawReading]:
        if record.value == b"none":
            return []
        if record.value == b"bad":
            raise RejectionError("wrong_type", "it is bad")
        return [RawReading("a", None, {"x": 1.0}), RawReading("b", 1_767_300_000, {"x": 2.0})]


def rewriter(shape: RecordShape | None = None, selection: Selection = EVERYTHING, **limits: int) -> Rewriter:
    return Rewriter(InputReader(shape or NativeShape(), selection), InputLimits(**limits), TARGETS)  # type: ignore[arg-type]  # all given are numbers


def test_a_reading_is_keyed_by_sensor_and_keeps_the_time_and_the_origin_of_its_record() -> None:
    record = Rec(b'{"sensor_id": 7, "values": {"x": 1.5}}', 41, 2, TIME_MS, key=b"other")

    rewritten = rewriter()([record])

    (message,) = rewritten.messages
    assert (message.topic, message.key, message.timestamp_ms) == ("copy", b"7", TIME_MS)
    assert message.headers == (("rekeyed-from", b"plant-2-41-0"),)
    assert json.loads(message.value or b"") == {"sensor_id": "7", "timestamp": TIME_MS, "values": {"x": 1.5}}
    assert (rewritten.readings, len(rewritten.decoded)) == (1, 1)


def test_a_record_with_more_readings_than_one_may_have_is_a_dead_letter_as_without_re_keying() -> None:
    class Many:
        def read(self, record: Record) -> Sequence[RawReading]:
            return [RawReading("a", None, {"x": 1.0})] * (MAXIMUM_READINGS + (record.value == b"more"))

    rewritten = rewriter(Many())([Rec(b"all", 4), Rec(b"more", 5)])

    *copies, letter = rewritten.messages
    assert (len(copies), rewritten.readings, letter.topic) == (MAXIMUM_READINGS, MAXIMUM_READINGS, "dead")
    assert [(one.reason, one.detail) for one in rewritten.decoded.rejected] == [
        ("too_large", "32769 readings; a record may have 32768")
    ]


def test_a_record_with_several_readings_becomes_several_records_in_its_order() -> None:
    rewritten = rewriter(Two())([Rec(b"two", 5), Rec(b"none", 6), Rec(b"bad", 7), Rec(None, 8)])

    *copies, letter = rewritten.messages
    assert [(one.key, one.headers[0][1]) for one in copies] == [(b"a", b"plant-0-5-0"), (b"b", b"plant-0-5-1")]
    assert [json.loads(one.value or b"")["timestamp"] for one in copies] == [TIME_MS, 1_767_300_000]
    assert (letter.topic, letter.value) == ("dead", b"bad")
    assert dict(letter.headers)["stream_detector.reason"] == b"wrong_type"
    assert dict(letter.headers)["stream_detector.detail"] == b"it is bad"
    assert dict(letter.headers)["stream_detector.offset"] == b"7"
    assert rewritten.readings == 2
    assert rewritten.decoded.tombstones == {0: 1}
    assert rewritten.excluded["record"] == 1
    assert rewritten.decoded.readings.places.tolist() == [5, 6]


def test_empty_values_and_lists_without_a_reading_are_counted_as_in_run_and_leave_no_dead_letter() -> None:
    reader = input_reader(InputSettings(preset="flat"))
    records = [Rec(b"", 0), Rec(b"[]", 1), Rec(None, 2), Rec(b" [ ] ", 3)]

    rewritten = Rewriter(reader, InputLimits(), TARGETS)(records)
    decoded = ShapedDecoder(("x",), InputLimits(), reader).decode(records)

    assert rewritten.messages == []
    assert rewritten.decoded.tombstones == decoded.tombstones == {0: 2}
    assert rewritten.excluded == decoded.excluded[0] == {"record": 2}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"sensor_id": " ", "values": {"x": 1}}, "sensor_missing"),
        ({"sensor_id": "ä" * 6, "values": {"x": 1}}, "sensor_too_long"),
        ({"sensor_id": "a", "values": {}}, "values_missing"),
        ({"sensor_id": "a", "timestamp": "soon", "values": {"x": 1}}, "wrong_type"),
        ({"sensor_id": "a", "timestamp": 12, "values": {"x": 1}}, "time_out_of_range"),
        ({"sensor_id": "a", "timestamp": "2026-01-02T00:00:00Z", "values": {"x": 1}}, "time_in_future"),
        ({"sensor_id": "a", "padding": "x" * 300, "values": {"x": 1}}, "too_large"),
    ],
)
def test_what_is_no_reading_is_a_dead_letter_with_the_reason(document: dict[str, object], reason: str) -> None:
    rewritten = rewriter(max_record_bytes=250, max_sensor_id_bytes=11)([Rec(json.dumps(document).encode())])

    assert [one.topic for one in rewritten.messages] == ["dead"]
    assert [one.reason for one in rewritten.decoded.rejected] == [reason]


class Half:
    """A shape whose records hold three readings, of which two cannot be used."""

    def read(self, record: Record) -> Sequence[RawReading]:
        assert record.value
        return [RawReading("", None, {"x": 1}), RawReading("b", None, {"x": 2}), RawReading("c", "soon", {"x": 3})]


def test_the_unusable_readings_of_a_record_are_one_dead_letter_and_the_others_are_copied() -> None:
    rewritten = rewriter(Half())([Rec(b"half")])

    copy, letter = rewritten.messages
    assert (copy.key, copy.headers[0][1]) == (b"b", b"plant-0-0-1")
    expected = b"reading 1 of 3 in the record: sensor_id is empty; and 1 more parts of this record"
    assert dict(letter.headers)["stream_detector.detail"] == expected
    assert len(rewritten.decoded) == 1


def test_values_that_only_the_model_can_judge_are_left_to_the_detector() -> None:
    rewritten = rewriter()([Rec(b'{"sensor_id": "a", "values": {"unknown": "Bad", "x": {"y": 1}}}')])

    assert json.loads(rewritten.messages[0].value or b"")["values"] == {"unknown": "Bad", "x": {"y": 1}}


def test_neither_the_reading_nor_its_record_has_a_time() -> None:
    rewritten = rewriter()([Rec(b'{"sensor_id": "a", "values": {"x": 1}}', timestamp=-1)])

    assert [one.reason for one in rewritten.decoded.rejected] == ["time_missing"]


def test_sensors_and_features_that_settings_leave_out_are_counted_and_not_copied() -> None:
    selection = Selection(exclude_sensors=["b"], include_features=["x"])
    records = [
        Rec(b"two"),
        Rec(b'{"sensor_id": "a", "values": {"x": 1, "y": 2}}'),
        Rec(b'{"sensor_id": "a", "values": {"y": 2}}'),
    ]

    two = rewriter(Two(), selection)(records[:1])
    one = rewriter(None, selection)(records[1:])

    assert [message.key for message in two.messages] == [b"a"]
    assert two.excluded == {"reading": 1}
    assert [json.loads(message.value or b"")["values"] for message in one.messages] == [{"x": 1}]
    assert one.excluded == {"value": 2}
    assert one.decoded.rejected == []
