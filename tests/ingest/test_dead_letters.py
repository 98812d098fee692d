"""What a dead letter contains."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.readings import Header, Message, Rejected
from tests.fakes.memory_log import MemoryRecord
from tests.ingest.records import WRITTEN_MS, record


def headers_of(rejected: Rejected, limit: int = 1000) -> dict[str, bytes | None]:
    return dict(dead_letter(rejected, "dead", limit).headers)


def test_a_dead_letter_carries_the_record_as_it_was_and_why_and_from_where() -> None:
    rejected = Rejected(record(b"{broken", offset=42), "not_json", "line 1 column 2")

    message = dead_letter(rejected, "dead", 1000)

    assert (message.topic, message.key, message.value) == ("dead", b"key", b"{broken")
    assert message.headers == (
        ("trace", b"1"),
        ("stream_detector.reason", b"not_json"),
        ("stream_detector.detail", b"line 1 column 2"),
        ("stream_detector.topic", b"readings"),
        ("stream_detector.partition", b"3"),
        ("stream_detector.offset", b"42"),
        ("stream_detector.timestamp", str(WRITTEN_MS).encode()),
    )


def test_a_dead_letter_of_a_tombstone_has_no_value() -> None:
    rejected = Rejected(replace(record(None), key=None, headers=()), "empty", "the record has no value")

    message = dead_letter(rejected, "dead", 1000)

    assert (message.key, message.value) == (None, None)


def test_a_value_too_large_for_a_dead_letter_is_cut_with_its_length_and_hash() -> None:
    value = b"v" * 101
    rejected = Rejected(record(value), "too_large", "101 bytes")

    message, headers = dead_letter(rejected, "dead", 100), headers_of(rejected, 100)

    assert message.value == b"v" * 100
    assert headers["stream_detector.value_bytes"] == b"101"
    assert headers["stream_detector.value_sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert "stream_detector.key_bytes" not in headers


def test_a_key_too_large_for_a_dead_letter_is_cut_as_well() -> None:
    rejected = Rejected(replace(record(b"v"), key=b"k" * 101), "not_json", "")

    assert dead_letter(rejected, "dead", 100).key == b"k" * 100
    assert headers_of(rejected, 100)["stream_detector.key_bytes"] == b"101"


def test_headers_too_large_for_a_dead_letter_are_left_out_and_counted() -> None:
    many = (("a", b"x" * 50), ("b", b"x" * 60), ("c", None))
    rejected = Rejected(replace(record(b"v"), headers=many), "not_json", "")

    headers = headers_of(rejected, 100)

    assert headers["a"] == b"x" * 50
    assert headers["stream_detector.headers_dropped"] == b"2"
    assert not {"b", "c"} & headers.keys()
    assert headers["stream_detector.reason"] == b"not_json"


def test_headers_are_measured_by_the_bytes_of_their_names() -> None:
    rejected = Rejected(replace(record(b"v"), headers=(("ü" * 60, b""),)), "not_json", "")

    assert headers_of(rejected, 100)["stream_detector.headers_dropped"] == b"1"
    assert "stream_detector.headers_dropped" not in headers_of(rejected, 120)


def test_a_dead_letter_that_was_fed_in_again_carries_one_reason() -> None:
    def letter(headers: tuple[Header, ...], offset: int, reason: str) -> Message:
        return dead_letter(Rejected(MemoryRecord("in", 0, offset, 0, None, b"?", headers), reason, "why"), "dead", 1000)

    first = letter((("trace", b"1"),), 7, "not_json")
    again = letter(tuple(first.headers), 9, "empty")

    assert [name for name, _ in again.headers] == [name for name, _ in first.headers]
    assert dict(again.headers)["trace"] == b"1"
    assert dict(again.headers)["stream_detector.reason"] == b"empty"
    assert dict(again.headers)["stream_detector.offset"] == b"9"
