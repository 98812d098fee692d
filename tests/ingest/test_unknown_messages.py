"""Messages of one feature, of which readings are assembled, with names that the model does not know."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.readings import Unknown
from tests.ingest.records import LIMITS, WRITTEN_MS, document, record

IGNORING = replace(LIMITS, ignore_unknown_features=True, assembles=True)
VALUES: list[dict[str, object]] = [{"a": 1}, {"c": 2}, {"b": 3, "d": 4}, {"word": "high"}, {"c": None}]
RECORDS = [record(document(values=one), offset=at) for at, one in enumerate(VALUES)]


@pytest.mark.parametrize("decoder", [JsonDecoder(("a", "b"), IGNORING), ShapedDecoder(("a", "b"), IGNORING, InputReader())])
def test_a_message_of_unknown_names_alone_is_no_dead_letter_but_counted_and_kept_for_a_question(
    decoder: JsonDecoder | ShapedDecoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    decoded = decoder.decode(RECORDS)

    assert decoded.rejected == []
    assert decoded.readings.places.tolist() == [0, 2]
    assert decoded.excluded == {RECORDS[0].partition: Counter(value=3)}
    assert [(one.place, one.names) for one in decoded.unknown] == [(1, ("c",)), (2, ("d",))]
    assert decoded.unknown[0] == Unknown(RECORDS[1].partition, 1, "s", WRITTEN_MS, ("c",))
    assert len(decoded) == len(RECORDS)
    place = "readings partition 3 offset"
    assert caplog.messages == [
        f"from now on ignoring features that the model does not know, first met in {place} {at}: {name!r}"
        for at, name in ((1, "c"), (2, "d"), (3, "word"))
    ]


@pytest.mark.parametrize("limits", [replace(IGNORING, ignore_unknown_features=False), replace(IGNORING, assembles=False)])
def test_it_is_one_where_the_settings_say_so_and_where_each_message_is_a_reading(limits: object) -> None:
    decoder = JsonDecoder(("a", "b"), limits)  # type: ignore[arg-type]  # a parameter of a test

    assert [one.reason for one in decoder.decode(RECORDS[:2]).rejected] == ["unknown_features"]
