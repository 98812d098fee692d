"""What is read fast is what is read slowly: shortcuts of presets, plain names of items; any document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.mapping import MappedShape, RecordMapping
from stream_detector.ingest.payload import JsonPayload
from stream_detector.ingest.presets.catalog import PRESETS
from stream_detector.ingest.quality import Quality, judge_of
from stream_detector.ingest.record_shape import RawReading, RecordShape
from tests.ingest.foreign import foreign, read
from tests.ingest.preset_pages import SAMPLES

SCALARS = (
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, 192, 2147483648, 1795417920, "", "a", "b", "GOOD", "Bad", "7"])
)


def objects(names: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects that have most of these names."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names.split(), inner)) | SCALARS


FIELDS = objects(
    "Value Body Type StatusCode Status SourceTimestamp Other", SCALARS | objects("Body Value Code Symbol", SCALARS)
)
MESSAGES = st.fixed_dictionaries(
    {"DataSetWriterName": st.sampled_from(["p1", "p2", "", None, 3]), "Timestamp": st.sampled_from(["t", "u", "", None, 5])},
    optional={
        "Payload": st.dictionaries(st.sampled_from("ab"), FIELDS, max_size=3) | SCALARS,
        "MessageType": st.sampled_from(["ua-keepalive", "ua-deltaframe", None]),
        "DataSetWriterId": SCALARS,
    },
)
SITEWISE = objects(
    "timestamp quality value",
    objects("timeInSeconds offsetInNanos doubleValue", st.sampled_from([1, 2, True, 1.5, None])) | SCALARS,
)
DOCUMENTS = {
    "opcua": st.fixed_dictionaries(
        {"Messages": st.lists(MESSAGES | SCALARS, max_size=3) | MESSAGES | SCALARS}, optional={"PublisherId": SCALARS}
    )
    | MESSAGES
    | st.lists(MESSAGES, max_size=2),
    "sitewise": st.fixed_dictionaries(
        {
            "payload": st.fixed_dictionaries(
                {"values": st.lists(SITEWISE, max_size=4) | SCALARS},
                optional={"assetId": SCALARS, "propertyId": SCALARS},
            )
            | SCALARS
        }
    ),
}


def outcome(shape: RecordShape, document: object) -> object:
    try:
        found = shape.read(foreign(document))
    except RejectionError as error:
        return error.args
    return [repr(astuple(one)) if isinstance(one, RawReading) else one.args for one in found]


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
def test_a_shortcut_reads_what_the_mapping_reads(name: str, data: st.DataObject) -> None:
    preset = PRESETS[name]
    short, mapped = (MappedShape(preset.mapping, JsonPayload(), preset.unfold, one) for one in (preset.shortcut, None))
    document = data.draw(DOCUMENTS[name])

    assert outcome(short, document) == outcome(mapped, document)


@pytest.mark.parametrize("name", sorted(name for name, preset in PRESETS.items() if preset.shortcut))
def test_the_sample_of_a_preset_goes_by_its_shortcut(name: str) -> None:
    shortcut = PRESETS[name].shortcut
    assert shortcut is not None
    readings = shortcut(SAMPLES[name][0], judge_of(PRESETS[name].mapping.quality))

    assert [list(astuple(one)) for one in readings or []] == SAMPLES[name][1]


def test_settings_that_change_a_mapping_go_without_its_shortcut() -> None:
    document, readings = SAMPLES["sitewise"]

    assert read(document, preset="sitewise", sensor="property") == [("temp", *readings[0][1:])]
    assert read(document, preset="sitewise", time="quality", time_format="%H:%M") == ["wrong_type"]
    assert read(document, preset="sitewise", bad_quality=["good"]) == [(*readings[0][:2], {"temp": "Bad: quality GOOD"})]


ITEMS = st.lists(objects("name v at host q tags", SCALARS | objects("host", SCALARS)), max_size=4)
_AROUND = dict.fromkeys(["at", "host", "q", "v", "name"], SCALARS) | {"tags": objects("host", SCALARS)}
READINGS = st.fixed_dictionaries({"data": ITEMS}, optional=_AROUND)


@pytest.mark.parametrize("sensor", ["host", "tags.host", "{host}/{tags.host}", "$topic", "[0].x"])
@pytest.mark.parametrize("pattern", ["", r"(?P<sensor>.)?(?P<feature>.*)"])
@given(document=READINGS)
def test_a_name_in_an_item_is_read_as_an_expression_that_finds_the_same(sensor: str, pattern: str, document: object) -> None:
    def mapping(name: str, value: str, at: str, quality: str, whose: str) -> RecordMapping:
        return RecordMapping(
            sensor=whose, time=at, items="data", feature=name, value=value, tag_pattern=pattern, quality=Quality(quality)
        )

    slow = {"host": "not_null(host)", "tags.host": "not_null(tags.host)"}.get(sensor, sensor)
    plain = MappedShape(mapping("name", "v", "at", "q", sensor), JsonPayload())
    expressions = MappedShape(mapping("not_null(name)", "not_null(v)", "not_null(at)", "not_null(q)", slow), JsonPayload())
    found, expected = outcome(plain, document), outcome(expressions, document)

    assert str(found) == str(expected).replace("not_null(", "").replace(")'", "'")


@given(found=st.lists(SCALARS | st.sampled_from([2**70, -1, 192.0, "x" * 100]), max_size=6))
def test_remembered_verdicts_are_those_of_the_quality(found: list[object]) -> None:
    for quality in (Quality("q"), Quality("q", ("1", "good*")), Quality("q", (), ("true", "bad"))):
        judge = judge_of(quality)
        for one in [*found, *found]:
            is_good = judge("value", one) == "value"
            assert is_good == quality.is_good(one)
