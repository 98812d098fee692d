"""Sparkplug: what the shortcut reads in a message of data is what the long way reads; any message."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.sparkplug.births import NO_SESSION, NOT_BORN, Birth
from stream_detector.ingest.sparkplug.plain import plain_reader
from stream_detector.ingest.sparkplug.shape import SparkplugShape
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
    counted,
    message,
    metric,
    payload,
    varint,
    whole,
)

#: What stands for fields that were not sent, and numbers around the bounds of types.
NUMBERS = (0, 1, 127, 128, 255, 2**31, 0x9E3779B9, 2**32 - 1, 2**63, 0x9E3779B97F4A7C15, 2**64 - 1)
TYPES = (0, INT8, INT16, INT32, INT64, 5, 6, 7, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, 17, 99)
NAMES = ("Temp", "Level", "bdSeq", "Node Control/Rebirth", "Device Control/x", "\u00b5m")
ALIASES = st.sampled_from([0, 1, 2, 3, 200, 2**64 - 1])
numbers, types = st.sampled_from(NUMBERS), st.sampled_from(TYPES)
reals = st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf"), 1e300])
texts = st.sampled_from([b"", b"7", b"auto", b"\xff"])


def quality(number: int) -> bytes:
    return counted(1, b"Quality") + counted(2, whole(3, number))


def little(number: float) -> bytes:
    return struct.pack("<f", number if abs(number) < 1e30 or number != number else 2.0)  # noqa: PLR0124 - NaN


#: Fields of a metric in any order and number, as any program may write them; some with a content that is none.
FIELDS = st.one_of(
    st.sampled_from(NAMES).map(lambda name: counted(1, name.encode())),
    texts.map(lambda text: counted(1, text)),
    ALIASES.map(lambda alias: whole(2, alias)),
    st.sampled_from([0, START_MS, START_MS + 7]).map(lambda time: whole(3, time)),
    types.map(lambda datatype: whole(4, datatype)),
    st.sampled_from([5, 7, 14]).flatmap(lambda field: st.sampled_from([whole(field, 0), whole(field, 1)])),
    st.sampled_from([b"", b"\xff", quality(192), quality(0)]).map(lambda content: counted(9, content)),
    st.tuples(st.sampled_from([10, 11]), numbers).map(lambda one: whole(*one)),
    reals.map(lambda real: varint(12 << 3 | 5) + little(real)),
    reals.map(lambda real: varint(13 << 3 | 1) + struct.pack("<d", real)),
    st.tuples(st.sampled_from([2, 10, 15, 16, 17, 18, 30]), texts).map(lambda one: counted(*one)),
)
#: Metrics as gateways write them.
USUAL = st.builds(
    metric,
    st.sampled_from(["", "", *NAMES]),
    st.sampled_from([None, True, 5, 300, -7]),
    alias=st.none() | ALIASES,
    datatype=st.sampled_from([INT8, INT16, INT32, INT64, UINT64, FLOAT, DOUBLE, BOOLEAN]),
    at_ms=st.sampled_from([0, 0, START_MS, START_MS + 7]),
    says_type=st.booleans(),
    quality=st.sampled_from([None, None, None, 192, 0]),
)
METRICS = st.lists(USUAL, max_size=5) | st.lists(USUAL | st.lists(FIELDS, max_size=6).map(b"".join), max_size=4)
PAYLOADS = st.builds(
    lambda metrics, at_ms, seq, rest: payload(metrics, at_ms=at_ms, seq=seq) + rest,
    METRICS,
    st.sampled_from([0, START_MS]),
    st.none() | st.sampled_from([0, 3, 9, 255, 256, 2**64 - 1]),
    st.sampled_from([b"", b"", b"", b"\x12", b"\xff", whole(9, 1), whole(3, 4)]),
)
BIRTHS = st.lists(
    st.builds(metric, st.sampled_from(NAMES), st.just(5), alias=ALIASES, datatype=st.sampled_from(TYPES[1:13])),
    max_size=5,
)


def outcome(shape: SparkplugShape, record: MemoryRecord) -> object:
    try:
        found = shape.read(record)
    except RejectionError as error:
        return error.args
    return [repr(astuple(one)) if isinstance(one, RawReading) else one.args for one in found]


@given(birth=BIRTHS, payloads=st.lists(PAYLOADS, min_size=1, max_size=3), of_device=st.booleans(), is_one_log=st.booleans())
def test_the_shortcut_reads_what_the_long_way_reads(
    birth: list[bytes], payloads: list[bytes], of_device: bool, is_one_log: bool
) -> None:
    kind, whose = ("D", "press/motor") if of_device else ("N", "press")
    records = [message(f"north/{kind}BIRTH/{whose}", birth, offset=0, seq=0)]
    records += [message(f"north/{kind}DATA/{whose}", [metric("a", 1.0)], offset=seq, seq=seq) for seq in range(1, 9)]
    data = message(f"north/{kind}DATA/{whose}")
    records += [dataclasses.replace(data, value=value, offset=9 + number) for number, value in enumerate(payloads)]
    short, long = SparkplugShape(), SparkplugShape(has_shortcut=False)
    short.is_one_log = long.is_one_log = is_one_log

    assert [outcome(short, one) for one in records] == [outcome(long, one) for one in records]
    assert short.take_missing() == long.take_missing()


ALIASED = Birth(0, NO_SESSION, {1: "Temp", 2: "bdSeq"}, {"Temp": DOUBLE})


@pytest.mark.parametrize(
    "one",
    [
        metric(value=21.5, alias=1),
        metric(value=21.5, alias=1, says_type=False),
        metric("Level", -7, datatype=INT16, at_ms=START_MS),
        metric("Count", 2**63, datatype=UINT64),
        metric("On", value=False, datatype=BOOLEAN),
        metric("Temp", 2.5, datatype=FLOAT),
        metric("Temp", None),
    ],
)
def test_usual_metrics_go_by_the_shortcut(one: bytes) -> None:
    plain = plain_reader()(payload([one], seq=3), ALIASED)
    assert plain is not None
    seq, rows = plain
    assert (seq, [len(row) for row in rows.values()]) == (3, [1])


@pytest.mark.parametrize(
    "one",
    [
        metric("a", None, datatype=DATETIME),
        metric("a", 5.0, quality=192),
        metric("a", "auto", datatype=STRING),
        metric("a", START_MS, datatype=DATETIME),
        metric("a", 0x9E3779B97F4A7C15, datatype=UINT64),
        metric("a", float("nan")),
        metric(value=1.0, alias=2),
        metric(value=1.0, alias=9),
        metric(value=1.0),
    ],
)
def test_other_metrics_go_the_long_way(one: bytes) -> None:
    read = plain_reader()
    assert read(payload([one, metric("b", 1.0)]), ALIASED) is None
    assert read(payload([metric("b", 1.0)]), NOT_BORN) is not None
