"""Properties of the decoder: whatever a record holds, it is one reading or one rejection, and nobody else's business."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.document import REASONS
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.readings import Decoded
from stream_detector.timestamps import MAXIMUM_TIME_MS
from tests.examples import examples
from tests.fakes.memory_log import MemoryRecord

WRITTEN_MS = 1_800_000_000_000
LIMITS = InputLimits()
DECODER = JsonDecoder(("a", "b"), LIMITS)
GOOD = b'{"sensor_id": "pump-7", "timestamp": "2027-01-15T07:00:00.250Z", "values": {"a": 61.25, "b": -3e2}}'

#: What stands for a value in JSON, and what looks like one.
_TOKENS = st.sampled_from(
    [
        *(
            b"NaN",
            b"Infinity",
            b"-Infinity",
            b"1e999",
            b"-1e999",
            b"1e999999",
            b"1e-999999",
            b"-0",
            b"01",
            b"1.",
            b".5",
            b"0x1",
        ),
        *(b"1" * 5000, b"1" * 400, b"-" + b"9" * 401, b"0." + b"1" * 5000, b"1" * 5000 + b"e-5000", b"3.5e38", b"1e39"),
        *(b"[" * 5000 + b"]" * 5000, b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 60_000, b'"' + b"x" * 5000 + b'"'),
        *(
            b'"\\ud800"',
            b'"\\udc00\\ud800"',
            b'"\\u0000"',
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b'"\n"',
            b"'s'",
            b"None",
            b"True",
            b"",
        ),
        *(b'{"a": 1, "a": 2}', b'{"a": 1, "b": NaN}', b'{"a": [1]}', b'{"\\ud800": 1}', b'{"": 1}', b'{"a": 1e999}'),
        *(b"null", b"true", b"17", b'"s"', b'" "', b"[]", b"{}", b'"2027-01-15"', b'"0001-01-01T00:00:00+23:59"', b'"24:00"'),
    ]
)
_spliced = st.lists(
    st.tuples(st.sampled_from([b"sensor_id", b"timestamp", b"values", b"note", b"\\u0076alues"]), _TOKENS), max_size=6
).map(lambda fields: b"{" + b", ".join(b'"%b": %b' % field for field in fields) + b"}")
_edits = st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4)


def _edited(edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replace a few bytes of a good reading, here and there, by others."""
    content = GOOD
    for place, length, other in edits:
        content = content[:place] + other + content[place + length :]
    return content


_around = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b" ", GOOD])
_values = (
    st.none()
    | st.binary(max_size=200)
    | _spliced
    | _edits.map(_edited)
    | st.integers(0, len(GOOD)).map(lambda length: GOOD[:length])
    | st.tuples(_around, _around).map(lambda ends: ends[0] + GOOD + ends[1])
    | st.sampled_from(["utf-16", "utf-16-be", "utf-32", "utf-7", "cp037"]).map(lambda codec: GOOD.decode().encode(codec))
)


def record(value: bytes | None, offset: int = 0) -> MemoryRecord:
    return MemoryRecord("readings", 0, offset, WRITTEN_MS, b"key", value, ())


def reading_of(decoded: Decoded, offset: int) -> tuple[str, int, bytes]:
    """Return all that was decoded from the record at an offset."""
    place = decoded.readings.places.tolist().index(offset)
    return decoded.readings.sensors[place], int(decoded.readings.times_ms[place]), decoded.readings.values[place].tobytes()


@settings(deadline=None, max_examples=examples(300))
@given(value=_values)
def test_a_record_is_one_usable_reading_or_one_rejection_with_a_reason(value: bytes | None) -> None:
    decoded = DECODER.decode([record(value)])

    assert len(decoded) == 1
    assert decoded.tombstones.total() == (not value)
    for rejected in decoded.rejected:
        assert rejected.reason in REASONS
        assert 0 < len(rejected.detail) <= 500
    for sensor, time_ms in zip(decoded.readings.sensors, decoded.readings.times_ms.tolist(), strict=True):
        assert sensor.strip()
        assert len(sensor.encode()) <= LIMITS.max_sensor_id_bytes
        assert 0 <= time_ms <= min(MAXIMUM_TIME_MS, WRITTEN_MS + LIMITS.max_future_ms)
        assert not np.isinf(decoded.readings.values).any()


@settings(deadline=None, max_examples=examples(150))
@given(others=st.lists(_values, min_size=1, max_size=4))
def test_a_record_is_decoded_as_if_it_were_alone(others: list[bytes | None]) -> None:
    records = [record(value, offset) for offset, value in enumerate([GOOD, *others, GOOD])]

    together = DECODER.decode(records)

    for one in records:
        alone = DECODER.decode([one])
        if alone.tombstones:
            continue
        if alone.rejected:
            assert alone.rejected[0] in together.rejected
        else:
            assert reading_of(together, one.offset) == reading_of(alone, one.offset)
    assert reading_of(together, 0) == ("pump-7", 1_799_996_400_250, np.array([61.25, -300], np.float64).tobytes())


@settings(deadline=None, max_examples=examples(60))
@given(
    sensor=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(str.strip),
    time_ms=st.integers(10**11, WRITTEN_MS),
    value=st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
)
def test_what_a_producer_writes_is_what_is_read(sensor: str, time_ms: int, value: float | None) -> None:
    written = json.dumps({"sensor_id": sensor, "timestamp": time_ms / 1000, "values": {"a": value}})

    decoded = DECODER.decode([record(written.encode())])

    expected = np.array([np.nan if value is None else value, np.nan], np.float32)
    assert decoded.readings.sensors == [sensor]
    assert np.array_equal(decoded.readings.values[0], expected, equal_nan=True)


_FULL = LIMITS.max_record_bytes - 60
EXPENSIVE = {
    "an array in an array": b'{"sensor_id": "s", "values": {"a": 1}, "x": ' + b"[" * (_FULL // 2) + b"]" * (_FULL // 2) + b"}",
    "an object in an object": b'{"sensor_id": 1, "values": ' + b'{"a":' * (_FULL // 6) + b"1" + b"}" * (_FULL // 6) + b"}",
    "a number of many digits": b'{"sensor_id": "s", "values": {"a": ' + b"7" * _FULL + b"}}",
    "a fraction of many digits": b'{"sensor_id": "s", "values": {"a": 0.' + b"7" * (_FULL - 10) + b"}}",
    "many digits and an exponent": b'{"sensor_id": 1, "values": {"a": ' + b"7" * (_FULL - 20) + b"e-99999999}}",
    "an id of many digits": b'{"sensor_id": ' + b"7" * (_FULL - 20) + b', "values": {"a": 1}}',
    "a time of many digits": b'{"sensor_id": "s", "timestamp": ' + b"7" * (_FULL - 20) + b', "values": {"a": 1}}',
    "a time in many digits of text": b'{"sensor_id": "s", "values": {"a": 1}, "timestamp": "2027-01-15T07:00:00.'
    + b"7" * 60_000
    + b'"}',
    "many names": b'{"sensor_id": 1, "values": {' + b", ".join(b'"%05d": 1' % name for name in range(_FULL // 13)) + b"}}",
    "one name many times": b'{"sensor_id": 1, "values": {' + b", ".join([b'"a": 1'] * (_FULL // 9)) + b"}}",
    "escapes": b'{"sensor_id": "' + b"\\u0041" * (_FULL // 7) + b'", "values": {"a": 1}}',
    "spaces": b" " * (_FULL - 200) + GOOD,
}


@pytest.mark.parametrize("value", EXPENSIVE.values(), ids=EXPENSIVE)
def test_a_record_as_large_as_allowed_takes_little_memory(value: bytes) -> None:
    assert len(value) <= LIMITS.max_record_bytes
    records = [record(value)]
    tracemalloc.start()
    decoded = DECODER.decode(records)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(decoded) == 1
    assert decoded.tombstones.total() == (not value)
    assert peak_bytes < 100 * LIMITS.max_record_bytes
