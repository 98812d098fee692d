"""Paths, and the sources and templates made of them."""

from __future__ import annotations

import pytest

from stream_detector.ingest.paths import compile_path
from stream_detector.ingest.sources import compile_source
from tests.ingest.foreign import foreign

DOCUMENT = {"a": {"b": [{"c d": 3}, None], "x.y": 5}, "@timestamp": 9, "Temp °C": 4, "n": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[0].c d", 3),
        ('a.b[0]."c d"', 3),
        ('a."x.y"', 5),
        ("@timestamp", 9),
        ("Temp °C", 4),
        ("a.b[1]", None),
        ("a.b[7]", None),
        ("a[0]", None),
        ("n", None),
        ("n.a", None),
        ("nothing", None),
        ('a.b[?"c d" > `2`]."c d" | [0]', 3),
        ("length(a.b)", 2),
        ("length(nothing)", None),
    ],
)
def test_a_path_finds_what_is_there_or_none(path: str, found: object) -> None:
    assert compile_path(path)(DOCUMENT) == found


@pytest.mark.parametrize("path", ["a..b", "a.", ".a", "a[", "a[x]", "a b]", "(", ""])
def test_what_is_no_path_is_refused_with_the_text(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        compile_source(path)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("$key", "press-1"),
        ("$topic", "plant"),
        ("$header.site", "north"),
        ("$header.other", None),
        ("{$header.site}/{a.x}/{n}", "north/7/2.5"),
        ("{a.x}-{nothing}", None),
        ("a.{q: x}", {"q": 7}),
    ],
)
def test_a_source_is_a_path_a_part_of_the_record_or_a_template(source: str, found: object) -> None:
    record = foreign({}, key=b"press-1", headers=[("site", b"north")])

    assert compile_source(source)([{"a": {"x": 7}, "n": 2.5}], record) == found


def test_a_path_in_a_key_that_is_json() -> None:
    find = compile_source("$key.id")

    assert find([], foreign({}, key=b'{"id": "p"}')) == "p"
    assert find([], foreign({}, key=b"no json")) is None
    assert find([], foreign({})) is None


def test_the_innermost_level_that_has_a_path_is_taken() -> None:
    assert compile_source("a")([{"b": 1}, {"a": 2}, {"a": 3}], foreign({})) == 2


def test_an_unknown_part_of_the_record_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\$header.NAME"):
        compile_source("$offset")
