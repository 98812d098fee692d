"""Sparkplug: what the shortcut reads in a message of data is what the long way reads; any message."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.sparkplug import layouts
from stream_detector.ingest.sparkplug.births import NO_SESSION, Birth
from stream_detector.ingest.sparkplug.layouts import Known, LayoutReader, Layouts
from stream_detector.ingest.sparkplug.payload import payload_reader
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
NAMES = ("Temp", "Level", "\u00b5m", "bdSeq", "Node Control/Rebirth", "Device Control/x")
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


#: Where a message is changed, as a part of its length, and the byte that stands there then.
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12)


def assert_both_read_the_same(records: Sequence[MemoryRecord], *, is_one_log: bool = False) -> None:
    short, long = SparkplugShape(), SparkplugShape(has_shortcut=False)
    short.is_one_log = long.is_one_log = is_one_log

    for one in records:
        assert outcome(short, one) == outcome(long, one)
    assert short.take_missing() == long.take_missing()


@given(
    birth=BIRTHS,
    payloads=st.lists(PAYLOADS, min_size=1, max_size=3),
    changes=CHANGES,
    of_device=st.booleans(),
    is_one_log=st.booleans(),
)
def test_the_shortcut_reads_what_the_long_way_reads(
    birth: list[bytes], payloads: list[bytes], changes: list[tuple[float, int]], of_device: bool, is_one_log: bool
) -> None:
    kind, whose = ("D", "press/motor") if of_device else ("N", "press")
    records = [message(f"north/{kind}BIRTH/{whose}", birth, offset=0, seq=0)]
    records += [message(f"north/{kind}DATA/{whose}", [metric("a", 1.0)], offset=seq, seq=seq) for seq in range(1, 9)]
    data = message(f"north/{kind}DATA/{whose}")
    values = 3 * payloads  # a layout is known from the second time on, that of the message from the third time on
    for place, byte in changes:
        changed = bytearray(payloads[-1])
        if changed:
            changed[int(place * len(changed))] = byte
        values.append(bytes(changed))
    values += payloads
    records += [dataclasses.replace(data, value=value, offset=9 + number) for number, value in enumerate(values)]

    assert_both_read_the_same(records, is_one_log=is_one_log)


@given(
    metrics=st.lists(
        st.tuples(st.sampled_from(["", *NAMES]), ALIASES, types, st.sampled_from([0, START_MS]), st.booleans()), max_size=4
    ),
    columns=st.lists(st.lists(st.sampled_from([None, 5, 6, 300, -7, 2**40]), min_size=4, max_size=4), max_size=8),
)
def test_values_that_change_in_the_same_metrics_are_read_as_the_long_way_reads_them(
    metrics: list[tuple[str, int, int, int, int | None]], columns: list[list[int | None]]
) -> None:
    def metric_of(number: int, value: int | None) -> bytes:
        name, alias, datatype, at_ms, quality = metrics[number]
        sent = str(value) if datatype == STRING and value is not None else value
        at_ms = at_ms + (value or 0) % 2 if at_ms else 0
        return metric(name, sent, alias=alias, datatype=datatype, at_ms=at_ms, quality=quality)

    birth = [metric(name, 5, alias=alias) for alias, name in enumerate(NAMES)]
    records = [message("north/NBIRTH/press", birth, offset=0, seq=0)]
    for offset, column in enumerate(3 * columns, 1):
        sent = [metric_of(number, value) for number, value in enumerate(column[: len(metrics)])]
        records.append(message("north/NDATA/press", sent, offset=offset, seq=offset, at_ms=START_MS + offset))

    assert_both_read_the_same(records)


@pytest.mark.parametrize("quality", [None, 192])
def test_a_message_in_which_any_byte_is_another_is_read_as_the_long_way_reads_it(quality: int | None) -> None:
    names = {0: DOUBLE, 1: INT32, 2: UINT64, 3: BOOLEAN, 4: FLOAT, 5: STRING}
    birth = [metric(NAMES[alias], 5, alias=alias, datatype=datatype) for alias, datatype in names.items()]
    values: list[object] = [21.5, 300, 2**40, True, 2.5, "auto"]
    sent = [
        metric(value=value, alias=alias, datatype=names[alias], at_ms=START_MS * (alias > 2), quality=quality)
        for alias, value in enumerate(values)
    ]
    for metrics in (sent[:3], sent[3:], [metric("Temp", 5, datatype=INT32), metric("Level", None)]):
        usual = message("north/NDATA/press", metrics, seq=9).value or b""
        changed = [
            usual[:place] + bytes([usual[place] ^ bits]) + usual[place + 1 :]
            for place in range(len(usual))
            for bits in (0x01, 0x08, 0x40, 0x80)
        ]
        cut = [usual[:length] for length in range(1, len(usual))]
        data = message("north/NDATA/press")
        contents = [usual, usual, usual, *changed, *cut, usual]
        records = [dataclasses.replace(data, value=value, offset=number) for number, value in enumerate(contents, 1)]
        assert_both_read_the_same([message("north/NBIRTH/press", birth, offset=0), *records])


ALIASED = Birth(0, NO_SESSION, {1: "Temp", 2: "bdSeq"}, {"Temp": DOUBLE})


def read_after(one: bytes, other: bytes, birth: Birth = ALIASED) -> Known | None:
    """Return what is read by layouts of a message with this metric, after one with another metric was read in full."""
    reader, data = LayoutReader(), payload([other])
    birth = dataclasses.replace(birth, layouts=Layouts())
    reader.learn(data, payload_reader()(data), birth)
    assert reader.read(data, birth.layouts) is not None
    return reader.read(payload([one], seq=3), birth.layouts)


@pytest.mark.parametrize(
    ("other", "one", "value"),
    [
        (metric(value=20.5, alias=1), metric(value=21.5, alias=1), 21.5),
        (metric(value=20.5, alias=1, says_type=False), metric(value=21.5, alias=1, says_type=False), 21.5),
        (
            metric("Level", -7, datatype=INT16, at_ms=START_MS),
            metric("Level", -9, datatype=INT16, at_ms=START_MS + 7),
            -9,
        ),
        (metric("Count", 2**63, datatype=UINT64), metric("Count", 2**63 + 5, datatype=UINT64), 2**63 + 5),
        (metric("On", value=False, datatype=BOOLEAN), metric("On", value=True, datatype=BOOLEAN), True),
        (metric("Temp", 2.5, datatype=FLOAT), metric("Temp", 3.5, datatype=FLOAT), 3.5),
        (metric("Temp", None), metric("Temp", None), None),
        (metric("Temp", 2.5, quality=192), metric("Temp", 3.5, quality=192), 3.5),
        (metric("Mode", "auto", datatype=STRING), metric("Mode", "hand", datatype=STRING), "hand"),
        (metric("Image", b"1234"), metric("Image", b"5678"), {"bytes": 4}),
    ],
)
def test_a_metric_that_differs_in_its_value_and_time_goes_by_the_layout(other: bytes, one: bytes, value: object) -> None:
    known = read_after(one, other)
    assert known is not None
    number, rows = known
    assert (number, [list(row.values()) for row in rows.values()]) == (3, [[value]])


@pytest.mark.parametrize(
    ("other", "one"),
    [
        (metric("a", 5.0), metric("b", 5.0)),
        (metric("a", 5.0), metric("a", 5.0, quality=192)),
        (metric("a", 5.0, quality=192), metric("a", 5.0, quality=0)),
        (metric("a", 5.0, quality=192), metric("a", 5.0, quality=128)),
        (metric("a", 5.0), metric("a", None)),
        (metric("a", 5, datatype=INT32), metric("a", 500, datatype=INT32)),
        (metric("a", 5, datatype=INT32), metric("a", 5, datatype=INT64)),
        (metric("a", "auto", datatype=STRING), metric("a", "off", datatype=STRING)),
        (metric(value=5.0, alias=1), metric(value=5.0, alias=9)),
    ],
)
def test_a_metric_that_differs_in_more_is_read_in_full(other: bytes, one: bytes) -> None:
    assert read_after(one, other) is None


def test_a_message_with_an_unknown_alias_is_read_in_full() -> None:
    reader, data = LayoutReader(), payload([metric(value=1.0, alias=9)])
    reader.learn(data, payload_reader()(data), ALIASED)
    assert reader.read(data, ALIASED.layouts) is None


def test_a_birth_starts_without_layouts() -> None:
    shape = SparkplugShape()
    for offset, name in ((0, "Temp"), (2, "Level")):
        shape.read(message("north/NBIRTH/press", [metric(name, 1.0, alias=1)], offset=offset, seq=0))
        for _ in range(3):
            (found,) = shape.read(message("north/NDATA/press", [metric(value=2.0, alias=1)], offset=offset + 1, seq=1))
            assert isinstance(found, RawReading)
            assert found.values == {name: 2.0}


def test_layouts_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_MOST_LAYOUTS", 20)
    reader = LayoutReader()
    births = [Birth(number, NO_SESSION, {}, {}) for number in range(50)]
    for birth in births:
        for name in ("a", "b"):
            data = payload([metric(name, 1.0)])
            reader.learn(data, payload_reader()(data), birth)
            assert reader.read(data, birth.layouts) == (None, {START_MS: {name: 1.0}})

    assert sum(len(one.layouts.metrics) + len(one.layouts.messages) for one in births) <= 20


def test_layouts_of_long_texts_take_no_more_memory_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each counts as 51 more, and that of the message twice as many: a second length has no room beside the first."""
    monkeypatch.setattr(layouts, "_MOST_LAYOUTS", 200)
    reader, birth = LayoutReader(), Birth(0, NO_SESSION, {}, {})
    for length in range(10_000, 10_008):
        data = payload([metric("a", "x" * length, datatype=STRING)])
        reader.learn(data, payload_reader()(data), birth)
        assert reader.read(data, birth.layouts) is not None

    assert sum(map(len, birth.layouts.metrics.values())) <= 2
    assert sum(map(len, birth.layouts.messages.values())) <= 2


def test_a_number_that_is_longer_than_any_is_read_in_full() -> None:
    """Protobuf has at most ten bytes of a number; here are eleven, which would be 3."""
    usual = payload([metric(value=1.0, alias=1)])
    longer = usual + b"\x18\x83" + b"\x80" * 9 + b"\x00"
    data = message("north/NDATA/press")
    contents = [usual, usual, usual, longer]
    records = [dataclasses.replace(data, value=value, offset=number) for number, value in enumerate(contents, 1)]

    assert_both_read_the_same([message("north/NBIRTH/press", [metric("Temp", 5, alias=1)], offset=0), *records])


def test_a_birth_with_too_many_layouts_learns_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_TRIES", 3)
    reader, birth = LayoutReader(), Birth(0, NO_SESSION, {}, {})
    known = []
    for name in "abcdef":
        data = payload([metric(name, 1.0)])
        reader.learn(data, payload_reader()(data), birth)
        known.append(reader.read(data, birth.layouts) is not None)

    assert known == [True, True, True, False, False, False]
