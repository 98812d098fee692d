"""A reading in the native form means exactly what its producer wrote."""

from __future__ import annotations

import json
import math
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.native_shape import NativeShape
from stream_detector.ingest.parsing import Parsing
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.rekey.native_json import exact_stamp, native_json
from tests.rekey.records import Rec

BERLIN = ZoneInfo("Europe/Berlin")
#: 2026-10-25T00:30:00Z, which is 02:30 in Berlin for the first time; an hour later it is for the second time.
FIRST_PASS_MS = 1_792_888_200_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("stamp", "exact"),
    [
        (None, 1_767_300_000_000),
        (1_767_300_000.25, 1_767_300_000.25),
        (1_767_300_000_123_456_789, 1_767_300_000_123_456_789),
        ("1767300000", "1767300000"),
        ("2026-11-23T07:12:00.250Z", "2026-11-23T07:12:00.250Z"),
        ("2026-11-23T07:12:00+05:30", "2026-11-23T07:12:00+05:30"),
        ("2026-11-23 07:12:00 UTC", "2026-11-23 07:12:00 UTC"),
        ("2026-11-23T07:12:00.250", "2026-11-23T06:12:00.250Z"),
        ("2026-07-01T07:12:00", "2026-07-01T05:12:00.000Z"),
    ],
)
def test_a_time_gets_its_zone_if_it_has_none(stamp: str | float | None, exact: str | float) -> None:
    assert exact_stamp(stamp, 1_767_300_000_000, BERLIN) == exact


def test_without_a_named_zone_a_local_time_is_utc() -> None:
    assert exact_stamp("2026-07-01T07:12:00", 0, None) == "2026-07-01T07:12:00.000Z"


@pytest.mark.parametrize(
    ("written_ms", "exact"),
    [
        (FIRST_PASS_MS + 1000, "2026-10-25T00:30:00.000Z"),
        (FIRST_PASS_MS + HOUR_MS + 1000, "2026-10-25T01:30:00.000Z"),
        (FIRST_PASS_MS + 24 * HOUR_MS, "2026-10-25T02:30:00"),
        (-1, "2026-10-25T02:30:00"),
    ],
)
def test_in_the_hour_that_comes_twice_the_time_of_the_record_tells_or_the_text_stays(written_ms: int, exact: str) -> None:
    assert exact_stamp("2026-10-25T02:30:00", written_ms, BERLIN) == exact


def test_a_text_that_is_no_time_is_rejected() -> None:
    with pytest.raises(RejectionError):
        exact_stamp("soon", 0, BERLIN)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 10**40, "\ud800", {"a": [1]}, True, None, "61,2", 1e-300])
def test_values_that_are_no_plain_numbers_come_out_as_they_were(value: object) -> None:
    written = native_json("pump-7", 1, {"a": value, "b": 1.5, "c": None})

    assert json.loads(written) == {"sensor_id": "pump-7", "timestamp": 1, "values": {"a": value, "b": 1.5, "c": None}}


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "ä"]),
        st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=5)),
        min_size=1,
    )
)
def test_the_decoder_finds_the_same_in_the_native_form_as_in_what_was_written(values: dict[str, object]) -> None:
    record = Rec(json.dumps({"sensor_id": "pump-7", "timestamp": 1_767_300_000.5, "values": values}).encode())
    (raw,) = NativeShape().read(record)
    copy = Rec(native_json(raw.sensor, exact_stamp(raw.stamp, record.timestamp, None), raw.values))

    before, after = (JsonDecoder(("a", "b", "ä"), InputLimits(parsing=Parsing())).decode([one]) for one in (record, copy))

    assert before.readings.times_ms.tolist() == after.readings.times_ms.tolist()
    assert np.array_equal(before.readings.values, after.readings.values, equal_nan=True)
    assert [one.reason for one in before.rejected] == [one.reason for one in after.rejected]
    assert before.lost == after.lost
