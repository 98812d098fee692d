"""One unusable value costs its feature only: the others arrive unharmed, and what was lost is counted with the reason."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.parsing import Parsing
from stream_detector.readings import Lost
from stream_detector.values import UNUSABLE_REASONS, MissingValues
from tests.examples import examples
from tests.ingest.records import DECODER, LIMITS, decode_one, document, record
from tests.value_texts import MEANS_MISSING, NUMBERS, UNUSABLE


def value_of(text: object) -> float:
    """Return what the decoder makes of a value of feature a, beside a good value of b."""
    decoded = decode_one(document(values={"a": text, "b": 2}))
    assert decoded.rejected == []
    assert decoded.readings.values[0, 1] == 2.0
    return float(decoded.readings.values[0, 0])


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_text_means_in_the_stream_what_it_means_in_a_file(text: str, number: float) -> None:
    assert value_of(text) == np.float32(number)


def test_true_and_false_are_one_and_zero() -> None:
    assert (value_of(True), value_of(False)) == (1.0, 0.0)


@pytest.mark.parametrize(("text", "reason"), [*((text, "says_missing") for text in MEANS_MISSING), *UNUSABLE])
def test_other_text_costs_its_feature_and_is_counted(text: str, reason: str) -> None:
    decoded = decode_one(document(values={"a": text, "b": 2}))

    np.testing.assert_array_equal(decoded.readings.values, [[np.nan, 2.0]])
    assert decoded.lost == {3: Counter({Lost("s", "a", reason, repr(text)): 1})}


@pytest.mark.parametrize(
    ("value", "reason", "found"),
    [
        (b"1e999", "not_finite", "inf"),
        (b"-1e39", "not_finite", "-1e+39"),
        (b"9" * 500, "not_finite", "inf"),
        (b'{"value": 61.2, "quality": "Good"}', "wrong_type", "an object with value, quality"),
        (b"[61.2]", "wrong_type", "a list"),
        (b'"\\ud800"', "not_a_number", "'\\ud800'"),
    ],
)
def test_any_other_value_costs_its_feature_too(value: bytes, reason: str, found: str) -> None:
    decoded = decode_one(b'{"sensor_id": "s", "values": {"a": ' + value + b', "b": 2}}')

    np.testing.assert_array_equal(decoded.readings.values, [[np.nan, 2.0]])
    assert decoded.lost == {3: Counter({Lost("s", "a", reason, found): 1})}


def test_words_and_codes_of_the_settings_are_missing() -> None:
    parsing = Parsing(MissingValues.of(["Stale", -9999, {"b": [0]}]))
    decoder = JsonDecoder(("a", "b"), replace(LIMITS, parsing=parsing))
    values = [
        {"a": "STALE", "b": 1},
        {"a": 0, "b": 0},
        {"a": -9999.0, "b": 2},
        {"a": "-9999", "b": 3},
        {"a": -9999, "b": "0.0"},
    ]

    decoded = decoder.decode([record(document(values=one), offset) for offset, one in enumerate(values)])

    np.testing.assert_array_equal(decoded.readings.values, [[np.nan, 1], [0, np.nan], [np.nan, 2], [np.nan, 3]])
    assert [(one.reason, one.detail) for one in decoded.rejected] == [
        ("no_value", "no feature has a value: 'a' is -9999, 'b' is 0")
    ]
    assert decoded.lost == {
        3: Counter({Lost("s", "a", "says_missing", "-9999"): 2, Lost("s", "a", "says_missing", "'STALE'"): 1})
        + Counter({Lost("s", "b", "says_missing", "0"): 1})
    }


def test_a_rejection_names_what_was_found() -> None:
    decoded = decode_one(document(values={"a": {"v": 1}, "b": "Bad"}))

    assert decoded.rejected[0].detail == "no feature has a number: 'a' is an object with v, 'b' is 'Bad'"
    assert decoded.lost == {}


def test_records_without_a_value_are_skipped_and_counted_by_partition() -> None:
    decoded = DECODER.decode([record(None, 0), record(document(), 1), record(b"", 2), record(None, 3, partition=5)])

    assert decoded.tombstones == Counter({3: 2, 5: 1})
    assert decoded.readings.places.tolist() == [1]
    assert decoded.rejected == []
    assert len(decoded) == 4


_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("Bad") | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, max_examples=examples(300))
@given(value=_any_json, other=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_whatever_one_feature_holds_the_others_arrive_unharmed(value: object, other: float) -> None:
    content = json.dumps({"sensor_id": "s", "values": {"a": value, "b": other}}).encode()

    decoded = JsonDecoder(("a", "b"), replace(LIMITS, max_record_bytes=10**6)).decode([record(content)])

    assert decoded.rejected == []
    assert decoded.readings.values[0, 1] == np.float32(other)
    assert not np.isinf(decoded.readings.values).any()
    for kind in decoded.lost.get(3, Counter()):
        assert kind.feature == "a"
        assert kind.reason in UNUSABLE_REASONS
        assert len(kind.found) < 120
