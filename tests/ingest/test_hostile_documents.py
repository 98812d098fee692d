"""Whatever a record holds, every preset reads it or says why not, and nothing else happens."""

from __future__ import annotations

import json
import random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ingest.presets.catalog import PRESETS
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings, Preset
from tests.chaos.corpus import VALUES
from tests.ingest.foreign import foreign
from tests.ingest.preset_pages import SAMPLES

DECODERS = {
    name: ShapedDecoder(("temp", "rpm"), InputLimits(ignore_unknown_features=True), input_reader(InputSettings(preset=name)))
    for name in get_args(Preset)
}
#: A mapping with all that a mapping can have.
MAPPING = InputSettings(
    sensor="{a}/{$key}", time="b", items="c", feature="name", value="v", quality="q", feature_prefix="{a}.", readings="r"
)
DECODERS["mapping"] = ShapedDecoder(("temp",), InputLimits(), input_reader(MAPPING))
HEADERS = [("ce_specversion", None), ("ce_subject", b"\xff"), ("mqtt.topic", b"spBv1.0/g/DDATA/n/d")]
NAMES = st.sampled_from(
    sorted(
        {"a", "b", "c", "r", "q", "name", "value", "values", "v", "id", "t", "ts", "temp", "metrics", "fields", "tags", "host"}
        | {"payload", "Payload", "Messages", "after", "op", "data", "subject", "state", "reported", "Body", "SystemProperties"}
        | {"resourceMetrics", "scopeMetrics", "gauge", "dataPoints", "assetId", "propertyId", "timestamp", "sensor_id"}
    )
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


def decode(name: str, value: bytes, key: bytes | None = b"k") -> None:
    decoded = DECODERS[name].decode([foreign(value, key=key, headers=HEADERS)])

    assert len(decoded) == 1
    assert all(one.reason and len(one.detail) < 2_000 for one in decoded.rejected)


@pytest.mark.parametrize("name", DECODERS)
@given(document=DOCUMENTS)
def test_any_document(name: str, document: Any) -> None:  # noqa: ANN401 - JSON
    decode(name, json.dumps(document).encode())


@pytest.mark.parametrize("name", DECODERS)
@given(cut=st.integers(0, 400), content=st.binary(max_size=8))
def test_a_damaged_record_of_the_preset(name: str, cut: int, content: bytes) -> None:
    sample = json.dumps(SAMPLES.get(name, [{}])[0]).encode()

    decode(name, sample[:cut] + content + sample[cut + len(content) :])


@pytest.mark.parametrize("name", DECODERS)
def test_the_records_of_the_campaign(name: str) -> None:
    chance = random.Random(7)

    for content in VALUES * 5:
        decode(name, content(chance) or b"x")


@pytest.mark.parametrize("name", PRESETS)
def test_a_list_with_the_sample_in_it(name: str) -> None:
    decode(name, json.dumps([SAMPLES[name][0], None, 7, "x"]).encode())
