"""The records unpacked from a batch are those that the client's own parser returns, and that the format describes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.util import decode_varint

from stream_detector.adapters.kafka.client_patches import record_parser
from stream_detector.adapters.kafka.client_patches.record_parser import MAXIMUM_HEADERS, KafkaRecord, legacy, unpacked
from stream_detector.readings import Header
from tests.adapters.kafka.kafka_bytes import BATCHES, LAST_OFFSET_DELTA, RECORDS, TP, Row, batch, old_batch, ours, parsed

ROWS = [Row(1000 + place, b"key %d" % place, b"value" * place) for place in range(4)]


def read(content: bytes) -> tuple[list[KafkaRecord], bool]:
    """Return the records of a batch, and whether it ended as it should."""
    records: list[KafkaRecord] = []
    try:
        records.extend(unpacked(parsed(content), TP))
    except CorruptRecordError:
        return records, False
    return records, True


def read_by_the_book(content: bytes) -> tuple[list[KafkaRecord], bool]:
    """Read a batch number by number, as the format is described; return the same."""
    found = parsed(content)
    data, at, records = bytes(found._buffer), found._pos, []
    try:
        for _ in range(found.records_count):
            size, start = decode_varint(data, at)
            time, at = decode_varint(data, start + 1)  # after a byte of attributes
            delta, at = decode_varint(data, at)
            key, at = content_of(data, at)
            value, at = content_of(data, at)
            count, at = decode_varint(data, at)
            headers: list[Header] = []
            assert 2 * count <= start + size - at + 1
            for _ in range(min(count, MAXIMUM_HEADERS)):
                name, at = content_of(data, at)
                header_value, at = content_of(data, at)
                headers.append(((name or b"").decode("utf-8", "backslashreplace"), header_value))
                assert name is not None
            at = start + size if count > MAXIMUM_HEADERS else at  # the others are not looked at
            assert (at - start, count >= 0, 0 <= delta <= found.last_offset_delta) == (size, True, True)
            time_ms = found.max_timestamp if found.timestamp_type else found.first_timestamp + time
            records.append(KafkaRecord(TP.topic, TP.partition, found.base_offset + delta, time_ms, key, value, tuple(headers)))
        assert at == len(data)
    except (AssertionError, IndexError, ValueError):
        return records, False
    return records, True


def content_of(data: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = decode_varint(data, at)
    return (data[at : at + size], at + size) if size >= 0 else (None, at)


@given(BATCHES)
def test_the_records_are_the_clients(arguments: dict[str, Any]) -> None:
    content = batch(**arguments)

    assert read(content) == ([ours(record) for record in parsed(content)], True)


@given(BATCHES, st.data())
def test_of_a_damaged_batch_all_before_the_damage_are_read(arguments: dict[str, Any], data: st.DataObject) -> None:
    damaged = bytearray(batch(**arguments | {"codec": 0}))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(RECORDS - 4, min(len(damaged), RECORDS + 400) - 1))  # the count of records comes first
        damaged[place] = data.draw(st.integers(0, 255))

    assert read(bytes(damaged)) == read_by_the_book(bytes(damaged))


@pytest.mark.parametrize("bits", [6, 7, 13, 14, 20, 21, 27, 28, 40])
def test_times_are_read_whatever_their_number_of_bytes(bits: int) -> None:
    rows = [Row(1 << 50, None, b"first")]
    rows += [Row((1 << 50) + sign * (1 << bits) + more, None, None) for sign in (-1, 1) for more in (-1, 0, 1)]

    records, is_sound = read(batch(0, rows))

    assert [record.timestamp for record in records] == [row.time_ms for row in rows]
    assert is_sound


def test_headers_and_missing_offsets_are_those_of_their_record_alone() -> None:
    rows = [Row(0, None, b"a", [("name", b"value")]), Row(0, None, b"b"), Row(0, None, b"c", skip=9), Row(0, None, b"d")]

    records, is_sound = read(batch(100, rows))

    assert [(record.offset, len(record.headers)) for record in records] == [(100, 1), (101, 0), (111, 0), (112, 0)]
    assert is_sound


@pytest.mark.parametrize("delta", [-1, 4, 1 << 30], ids=["before", "behind", "far behind"])
def test_a_record_outside_of_its_batch_ends_it(delta: int) -> None:
    content = batch(0, [*ROWS[:3], Row(0, None, b"", skip=delta - 3)])
    changed = bytearray(content)
    struct.pack_into(">i", changed, LAST_OFFSET_DELTA, 3)

    records, is_sound = read(bytes(changed))

    assert [record.offset for record in records] == [0, 1, 2]
    assert not is_sound


@pytest.mark.parametrize("attributes", [1, 127, 128, 255])
def test_attributes_that_records_do_not_have_yet_are_passed_over(attributes: int) -> None:
    content = bytearray(batch(0, ROWS))
    content[RECORDS + 1] = attributes

    assert read(bytes(content)) == read(batch(0, ROWS))


def test_of_very_many_headers_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_parser, "MAXIMUM_HEADERS", 7)
    headers = [(f"name {place}", b"value") for place in range(12)]

    records, is_sound = read(batch(0, [Row(0, b"key", b"value", headers), *ROWS]))

    assert records[0].headers == tuple(headers[:7])
    assert [record.offset for record in records] == [0, 1, 2, 3, 4]
    assert is_sound


def test_more_headers_than_a_record_has_bytes_are_not_looked_for() -> None:
    content = batch(0, [Row(0, None, b"")])
    many = bytes([0x80, 0x80, 0x80, 0x80, 0x08])  # 2**30
    changed = bytearray(content[:-1] + many + bytes(1 << 20))
    changed[RECORDS] += 2 * (len(many) - 1)

    assert read(bytes(changed)) == ([], False)


@pytest.mark.parametrize(("place", "damage"), [(-4, 1), (-3, 1)], ids=["fewer headers than none", "no name"])
def test_headers_that_cannot_be_end_a_batch(place: int, damage: int) -> None:
    content = bytearray(batch(0, [*ROWS, Row(0, None, None, [("a", None)])]))
    assert bytes(content[-4:]) == bytes([2, 2, ord("a"), 1])
    content[place] = damage

    records, is_sound = read(bytes(content))

    assert len(records) == len(ROWS)
    assert not is_sound


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_batch_that_is_cut_off_ends_with_its_last_whole_record(cut: int) -> None:
    records, is_sound = read(batch(0, ROWS)[:-cut])

    assert [record.offset for record in records] == [0, 1, 2]
    assert not is_sound


@pytest.mark.parametrize("bit", [1, 2])
def test_a_record_of_another_size_than_it_says_ends_a_batch(bit: int) -> None:
    content = bytearray(batch(0, ROWS))
    content[RECORDS] ^= bit

    assert read(bytes(content)) == ([], False)


def test_bytes_after_the_last_record_are_a_damage() -> None:
    content = bytearray(batch(0, ROWS))
    struct.pack_into(">i", content, RECORDS - 4, 3)

    records, is_sound = read(bytes(content))

    assert [record.offset for record in records] == [0, 1, 2]
    assert not is_sound


def test_records_are_unpacked_when_they_are_asked_for() -> None:
    content = bytearray(batch(0, ROWS))
    content[-1] = 1  # the last record has a negative number of headers

    records = unpacked(parsed(bytes(content)), TP)

    assert [next(records).offset for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CorruptRecordError):
        next(records)


@pytest.mark.parametrize(("magic", "codec"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_records_of_the_older_formats_are_read_those_of_the_oldest_without_a_time(magic: int, codec: int) -> None:
    memory = MemoryRecords(old_batch(ROWS, magic, codec))
    records: list[KafkaRecord] = []
    while (found := memory.next_batch()) is not None:
        records += legacy(found, TP)

    assert [(record.key, record.value) for record in records] == [(row.key, row.value) for row in ROWS]
    assert [record.timestamp for record in records] == ([row.time_ms for row in ROWS] if magic else [-1] * 4)


def test_a_record_of_the_older_formats_whose_checksum_is_wrong_is_refused() -> None:
    content = old_batch(ROWS, magic=1, codec=0)
    content[-1] ^= 1

    *_, last = MemoryRecords(content)

    with pytest.raises(CorruptRecordError, match="the checksum of the record at 3 is wrong"):
        list(legacy(last, TP))
