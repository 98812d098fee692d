"""A dead letter is read back as it was written, and its record goes back as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from stream_detector.ingest.dead_letter_origin import read_dead_letter, returned
from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.readings import Header, Message, Rejected


@dataclass(frozen=True, slots=True)
class Rec:
    """A record of any topic."""

    value: bytes | None
    key: bytes | None = b"pump-1"
    topic: str = "readings"
    partition: int = 3
    offset: int = 1234
    timestamp: int = 1_767_225_600_000
    headers: Sequence[Header] = field(default_factory=tuple)


def written(message: Message) -> Rec:
    """The record that a message becomes on the dead-letter topic."""
    return Rec(message.value, message.key, message.topic, 0, 7, 1_767_225_600_999, message.headers)


def test_reason_and_origin_are_read_back_and_the_record_returns_with_its_own_headers() -> None:
    record = Rec(b"{}", headers=(("trace", b"1"), ("stream_detector.reason", b"forged")))

    letter = read_dead_letter(written(dead_letter(Rejected(record, "not_json", "it is not"), "dead", 1000)))
    message = returned(letter, "readings")

    assert (letter.reason, letter.detail) == ("not_json", "it is not")
    assert (letter.topic, letter.partition, letter.offset, letter.timestamp) == ("readings", 3, 1234, 1_767_225_600_000)
    assert letter.cannot_return == ""
    assert (message.topic, message.key, message.value) == ("readings", b"pump-1", b"{}")
    assert message.headers == (("trace", b"1"), ("stream_detector.replayed_from", b"dead 0 7"))


def test_a_value_or_a_key_that_was_cut_cannot_return() -> None:
    long_value = read_dead_letter(written(dead_letter(Rejected(Rec(b"x" * 30), "not_json", ""), "dead", 20)))
    long_key = read_dead_letter(written(dead_letter(Rejected(Rec(b"x", b"k" * 30), "not_json", ""), "dead", 20)))

    assert long_value.cannot_return == "its value was cut, it had 30 bytes"
    assert long_value.value_bytes == 30
    assert long_key.cannot_return == "its key was cut, it had 30 bytes"


def test_a_record_that_is_not_ours_has_no_reason_and_cannot_return() -> None:
    letter = read_dead_letter(Rec(b"hello"))

    assert (letter.reason, letter.cannot_return) == ("unknown", "it does not say which record it was")


headers = st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=10)), max_size=4)
forged = st.lists(
    st.tuples(st.sampled_from(["reason", "detail", "topic", "offset", "value_bytes"]), st.none() | st.binary(max_size=30))
)


@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=40), headers)
def test_any_record_that_was_not_cut_returns_unchanged(key: bytes | None, value: bytes | None, own: list[Header]) -> None:
    kept = tuple(header for header in own if not header[0].startswith("stream_detector."))
    letter = read_dead_letter(written(dead_letter(Rejected(Rec(value, key, headers=kept), "no_value", "x"), "dead", 1000)))

    message = returned(letter, "readings")

    assert (message.key, message.value, message.headers[:-1]) == (key, value, kept)


@given(forged)
def test_any_headers_of_ours_are_read_without_an_error(ours: list[Header]) -> None:
    named = tuple((f"stream_detector.{name}", content) for name, content in ours)

    read_dead_letter(Rec(b"x", headers=named))
