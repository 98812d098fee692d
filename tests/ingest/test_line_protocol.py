"""The line protocol of InfluxDB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.influx_shape import InfluxShape, TimeUnit
from stream_detector.ingest.line_protocol import Line, read_lines
from stream_detector.ingest.record_shape import RawReading
from tests.ingest.registry_records import record

TIME_NS = 1_800_000_000_000_000_000
TEXTS = st.text("ab ,=\\xé#", min_size=1, max_size=8).filter(lambda text: not text.endswith("\\") and not text.startswith("#"))
VALUES = (
    st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text('ab "\\,=\n')
)


def escaped(text: str, special: str) -> str:
    return "".join(f"\\{one}" if one in special else one for one in text)


def written(line: Line) -> str:
    """Write a point as a client does."""
    values = {name: field(value) for name, value in line.fields.items()}
    head = [escaped(line.measurement, ", ")]
    head += [f"{escaped(name, ',= ')}={escaped(value, ',= ')}" for name, value in line.tags.items()]
    fields = ",".join(f"{escaped(name, ',= ')}={value}" for name, value in values.items())
    return f"{','.join(head)} {fields}{'' if line.stamp is None else f' {line.stamp}'}\n"


def field(value: float | bool | str) -> str:
    if isinstance(value, str):
        return '"' + escaped(value, '"\\') + '"'
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value}{'u' if value >= 2**63 else 'i'}" if isinstance(value, int) else repr(value)


def no_backslash_before_special(text: str) -> bool:
    """A backslash that stands for itself before a character that needs one cannot be written."""
    return not any(pair in text for pair in ("\\,", "\\=", "\\ ", "\\\\"))


NAMES = TEXTS.filter(no_backslash_before_special)
LINES = st.builds(
    Line,
    NAMES,
    st.dictionaries(NAMES, NAMES, max_size=3),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
    st.none() | st.integers(-(10**18), 2 * 10**18),
)


@given(st.lists(LINES, max_size=4))
def test_what_a_client_writes_is_read_back(lines: list[Line]) -> None:
    assert read_lines("".join(map(written, lines)).encode()) == lines


def test_all_kinds_of_values_and_escapes() -> None:
    value = (
        b"air\\ in,site=a\\,b,my\\=tag=x\\ y t=82i,u=18446744073709551615u,ok=T,off=False,"
        b'text="a \\"b\\", c\\\\",f=-1.5e3,g=.5 12\n'
    )
    fields: dict[str, float | bool | str] = {"t": 82, "u": 18_446_744_073_709_551_615, "ok": True, "off": False}
    fields |= {"text": 'a "b", c\\', "f": -1500.0, "g": 0.5}
    assert read_lines(value) == [Line("air in", {"site": "a,b", "my=tag": "x y"}, fields, 12)]


def test_empty_lines_comments_and_ends_of_windows_are_skipped_and_a_text_may_have_several_lines() -> None:
    value = b'\n  \n# a comment\r\nm a=1\r\n  m b="two\nlines" 5  \r\nm c=3'
    assert read_lines(value) == [
        Line("m", {}, {"a": 1.0}, None),
        Line("m", {}, {"b": "two\nlines"}, 5),
        Line("m", {}, {"c": 3.0}, None),
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"m", "line 1: there is no field"),
        (b"m ", "line 1: expected a field"),
        (b"m a", "there is no = after 'a'"),
        (b"m a=", "expected the value of a field"),
        (b"m a=x", "a field is a number, a text in quotation marks, or true or false, found 'x'"),
        (b'm a="x', "expected the end of a text"),
        (b"m a=1 12x", "expected a time or the end of the line"),
        (b"m,t a=1", "there is no = after 't'"),
        (b"m,=x a=1", "expected a tag"),
        (b"m a=1\nm a=2 3\nm a=nan", "line 3: a field is a number"),
        (b"m a=1i2", "a field is a number"),
        (b"\xff", "invalid start byte"),
        (b'{"sensor_id": "a"}', "found sensor_id"),
    ],
)
def test_what_is_no_line_is_said_with_its_number(value: bytes, words: str) -> None:
    with pytest.raises(RejectionError) as caught:
        read_lines(value)
    assert caught.value.reason == "wrong_format"
    assert words in caught.value.detail


def test_points_of_one_sensor_and_time_are_one_reading() -> None:
    value = (
        f"pump,host=pump-7,site=north temperature=61.5,pressure=4i {TIME_NS}\n"
        f"speed,host=pump-7,site=north value=1500 {TIME_NS}\n"
        f"pump,host=pump-8,site=north temperature=60 {TIME_NS}\n"
    )
    assert InfluxShape().read(record(value.encode())) == [
        RawReading("host=pump-7,site=north", TIME_NS, {"pump.temperature": 61.5, "pump.pressure": 4, "speed": 1500.0}),
        RawReading("host=pump-8,site=north", TIME_NS, {"pump.temperature": 60.0}),
    ]


def test_chosen_tags_name_the_sensor() -> None:
    shape = InfluxShape(("site", "host"))
    assert shape.read(record(b"pump,host=pump-7,site=north value=1"))[0].sensor == "north/pump-7"


def test_a_point_without_a_chosen_tag_says_which_it_has() -> None:
    with pytest.raises(RejectionError) as caught:
        InfluxShape(("machine",)).read(record(b"pump,host=pump-7,site=north value=1"))
    assert (caught.value.reason, caught.value.detail) == (
        "sensor_missing",
        "'pump' has no tag 'machine'; its tags: host, site",
    )


def test_a_point_without_tags_is_of_the_sensor_that_its_measurement_names() -> None:
    assert InfluxShape().read(record(b"pump-7 temperature=61.5")) == [RawReading("pump-7", None, {"temperature": 61.5})]


@pytest.mark.parametrize(
    ("unit", "stamp"),
    [("ns", 1_800_000_000_250_000_000), ("us", 1_800_000_000_250_000), ("ms", 1_800_000_000_250), ("s", 1_800_000_000)],
)
def test_times_may_have_a_unit_of_their_own(unit: TimeUnit, stamp: int) -> None:
    expected = 1_800_000_000_000 if unit == "s" else 1_800_000_000_250
    assert InfluxShape(unit=unit).read(record(f"m a=1 {stamp}".encode()))[0].stamp == expected
