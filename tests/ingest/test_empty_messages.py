"""Messages of one feature, of which readings are assembled, without a value: each is a dead letter that says what is there."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.mapping import MappedShape, RecordMapping
from stream_detector.ingest.payload import JsonPayload
from stream_detector.ingest.quality import Quality
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.rekey.rewriter import Rewriter, Targets
from tests.ingest.records import LIMITS, WRITTEN_MS, document, record

ASSEMBLING = replace(LIMITS, ignore_unknown_features=True, assembles=True)
TAGS = RecordMapping(sensor="asset", time="ts", feature="meta.tag", value="data.value", quality=Quality("data.q"))


def message(tag: str, **data: object) -> bytes:
    return json.dumps({"ts": WRITTEN_MS, "asset": "p3", "meta": {"tag": tag}, "data": data}).encode()


def tags(limits: InputLimits = ASSEMBLING) -> ShapedDecoder:
    return ShapedDecoder(("a", "b"), limits, InputReader(MappedShape(TAGS, JsonPayload())))


@pytest.mark.parametrize("decoder", [JsonDecoder(("a", "b"), ASSEMBLING), ShapedDecoder(("a", "b"), ASSEMBLING, InputReader())])
def test_a_message_of_nulls_alone_is_a_dead_letter_and_no_reading(decoder: JsonDecoder | ShapedDecoder) -> None:
    values: list[dict[str, object]] = [{"a": None}, {"a": 1, "b": None}, {"a": None, "c": 2}, {"b": "NaN"}, {"b": ""}]

    decoded = decoder.decode([record(document(values=one), offset=at) for at, one in enumerate(values)])

    assert decoded.readings.places.tolist() == [1]
    assert [(one.record.offset, one.reason, one.detail) for one in decoded.rejected] == [
        (0, "no_value", "no feature has a value: 'a' is null"),
        (2, "no_value", "no feature has a value: 'a' is null"),
        (3, "no_value", "no feature has a value: 'b' is null"),
        (4, "no_value", "no feature has a value: 'b' is null"),
    ]
    assert len(decoded) == len(values)


def test_a_value_under_another_name_is_a_dead_letter_with_the_path_and_what_is_there() -> None:
    decoded = tags().decode([record(message("a", wert=2.2, q=192)), record(message("a", value=None, q=192), offset=1)])

    assert len(decoded.readings) == 0
    assert [(one.reason, one.detail) for one in decoded.rejected] == [
        (
            "values_missing",
            "the value of 'a' is not there: nothing at 'data.value' (STREAM_DETECTOR_INPUT__VALUE); "
            "found ts, asset, meta (tag), data (wert, q)",
        ),
        ("no_value", "no feature has a value: 'a' is null"),
    ]


def test_so_it_is_where_each_tag_is_a_sensor_but_a_null_is_a_missing_value_there() -> None:
    decoded = tags(LIMITS).decode([record(message("a", wert=2.2)), record(message("a", value=None), offset=1)])

    assert [one.reason for one in decoded.rejected] == ["values_missing"]
    assert decoded.readings.places.tolist() == [1]


def test_a_tag_that_is_not_known_may_lack_its_value_and_bad_quality_comes_first() -> None:
    decoded = tags().decode([record(message("c", wert=2.2)), record(message("a", wert=2.2, q=0), offset=1)])

    assert decoded.excluded == {3: Counter(value=1)}
    assert [(one.record.offset, one.reason) for one in decoded.rejected] == [(1, "no_value")]
    assert decoded.unknown == []


def test_behind_re_keying_the_dead_letter_says_the_same() -> None:
    reader = InputReader(MappedShape(TAGS, JsonPayload()))
    copies = Rewriter(reader, LIMITS, Targets("copy", "dead", max_value_bytes=1000))(
        [record(message("a", wert=2.2)), record(message("a", value=None), offset=1), record(message("c"), offset=2)]
    )

    decoded = JsonDecoder(("a", "b"), ASSEMBLING).decode(
        [record(one.value, offset=at) for at, one in enumerate(copies.messages)]
    )

    assert copies.decoded.rejected == []
    assert [(one.record.offset, one.reason, one.detail) for one in decoded.rejected] == [
        (
            0,
            "values_missing",
            "the value of 'a' is not there: nothing at 'data.value' (STREAM_DETECTOR_INPUT__VALUE); "
            "found ts, asset, meta (tag), data (wert)",
        ),
        (1, "no_value", "no feature has a value: 'a' is null"),
    ]
