"""What the client's parser returns of batches that are damaged, bomb-like or strangely named: everything that can be read."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords

from stream_detector.adapters.kafka.client_patches import damaged_batches
from stream_detector.adapters.kafka.client_patches.damaged_batches import Damage, DeliverableBatches
from stream_detector.adapters.kafka.client_patches.partition_records import partition_records
from tests.adapters.kafka.client_patches.damaged_bytes import (
    BODY,
    CRC,
    LAST_OFFSET_DELTA,
    LENGTH,
    RECORDS,
    TP,
    batch,
    fetched,
    flip,
    named,
    sealed,
    three,
)
from tests.adapters.kafka.kafka_bytes import ours


class DamagedLog:
    """One partition of a log in bytes, fetched and parsed by the client's own parser."""

    def __init__(self, *batches: bytes, end: int | None = None, skips: bool = True) -> None:
        self._batches = batches
        self._end = end
        self._skips = skips
        self.damages: list[Damage] = []

    def read(self, position: int = 0) -> tuple[list[int], int]:
        """Fetch everything; return the offsets of the records from a position on, and the position after it."""
        records, stop = self.records(position)
        return [record.offset for record in records], stop

    def records(self, position: int = 0) -> tuple[list[Any], int]:
        content = fetched(self._batches, position)
        batches = DeliverableBatches(MemoryRecords(content), position, lambda: self._end, self._note)
        parsed = partition_records(position, TP, batches)
        found = parsed.take(1000)
        assert not parsed, "the client would go on asking"
        return found, parsed.next_fetch_offset

    def _note(self, damage: Damage) -> bool:
        self.damages.append(damage)
        return self._skips or not damage.may_recover


@pytest.mark.parametrize("codec", [0, 1, 3, 4])
def test_sound_batches_are_read_as_the_client_reads_them(codec: int) -> None:
    content = b"".join(three(codec=codec))
    log = DamagedLog(*three(codec=codec), end=12)
    plain = Fetcher.PartitionRecords(2, TP, MemoryRecords(content)).take(1000)

    assert log.records(2) == ([ours(record, TP) for record in plain], 12)
    assert log.damages == []


@pytest.mark.parametrize("end", [4, 6, 11])
def test_what_was_appended_while_the_broker_read_is_no_damage_though_it_lies_beyond_the_end_that_it_named(end: int) -> None:
    log = DamagedLog(*three(), end=end)

    assert log.read() == (list(range(12)), 12)
    assert log.damages == []


@pytest.mark.parametrize("place", [16, CRC, LAST_OFFSET_DELTA, 30, BODY], ids=str)
def test_a_damaged_batch_is_passed_over_and_nothing_else(place: int) -> None:
    log = DamagedLog(*three(flip(place)))

    before, stop = log.read()
    after, end = log.read(stop)

    assert (before, stop, after, end) == ([0, 1, 2, 3], 8, [8, 9, 10, 11], 12)
    assert [(damage.start, damage.stop, damage.may_recover) for damage in log.damages] == [(4, 8, True)]


def test_a_damage_that_is_not_given_up_is_where_the_fetch_ends() -> None:
    log = DamagedLog(*three(flip(BODY)), skips=False)

    assert log.read() == ([0, 1, 2, 3], 4)
    assert log.read(4) == ([], 4)
    assert log.read(6) == ([], 6)


def test_a_damage_at_the_end_of_what_was_fetched_reaches_at_most_to_the_logs_end() -> None:
    claims_too_much = lambda content: struct.pack_into(">i", content, 23, 1_000_000)  # noqa: E731

    assert DamagedLog(*three(claims_too_much)[:2], end=8).read(4) == ([], 8)
    assert DamagedLog(*three(flip(BODY))[:2], end=12).read(4) == ([], 8)


def test_a_damaged_batch_that_claims_to_end_before_it_begins_is_left_by_one_offset() -> None:
    claims_too_little = lambda content: struct.pack_into(">i", content, 23, -100)  # noqa: E731

    assert DamagedLog(*three(claims_too_little)[:2], end=12).read() == ([0, 1, 2, 3], 5)


@pytest.mark.parametrize("offset", [-4, 0, 100, 1 << 40])
def test_offsets_that_cannot_be_are_a_damage_though_the_checksum_does_not_tell(offset: int) -> None:
    log = DamagedLog(*three(lambda content: struct.pack_into(">q", content, 0, offset)), end=12)

    assert log.read() == ([0, 1, 2, 3], 8)
    assert log.read(8) == ([8, 9, 10, 11], 12)


@pytest.mark.parametrize("length", [-1, 0, 5])
def test_a_batch_without_a_sensible_length_is_a_damage(length: int) -> None:
    log = DamagedLog(*three(lambda content: struct.pack_into(">i", content, 8, length)))

    assert log.read() == ([0, 1, 2, 3], 5)


@pytest.mark.parametrize("place", [place for place in range(97) if place not in LENGTH])
def test_wherever_a_bit_flips_the_client_neither_raises_nor_hangs(place: int) -> None:
    log = DamagedLog(*three(flip(place)), end=12)

    offsets, stop = log.read()

    assert offsets[:4] == [0, 1, 2, 3]
    assert stop > 4
    assert set(offsets[4:]) <= {4, 5, 6, 7, 8, 9, 10, 11}


def test_header_names_that_are_no_utf8_cost_nobody_a_record() -> None:
    values = [b"a", b"b", b"c"]
    log = DamagedLog(named(batch(0, values, [("xx", b"v")]), b"\xff\xfe"), batch(3, [b"d"]))

    records, stop = log.records()

    assert ([record.value for record in records], stop) == ([*values, b"d"], 4)
    assert records[0].headers == (("\\xff\\xfe", b"v"),)
    assert log.damages == []


def test_a_read_that_ended_among_such_header_names_goes_on_among_them() -> None:
    log = DamagedLog(named(batch(0, [b"a", b"b", b"c"], [("xx", b"v")]), b"\xff\xfe"))

    assert log.read(2) == ([2], 3)


def test_the_rest_of_a_batch_that_nobody_can_decode_is_given_up_at_once() -> None:
    def too_many_headers(content: bytearray) -> None:
        content[-1] = 40  # 20 headers of the last record, which has none
        sealed(content)

    log = DamagedLog(*three(too_many_headers), skips=False)

    assert log.read() == ([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11], 12)
    assert [(damage.start, damage.stop, damage.may_recover) for damage in log.damages] == [(7, 8, False)]


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_what_decompresses_to_too_much_is_given_up_at_once(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged_batches, "MAXIMUM_UNCOMPRESSED_BYTES", 100_000)
    log = DamagedLog(batch(0, [b"a"]), batch(1, [bytes(200_000)], codec=codec), batch(2, [b"b"]), skips=False)

    assert log.read() == ([0], 2)
    assert log.read(2) == ([2], 3)
    assert [(damage.start, damage.stop) for damage in log.damages] == [(1, 2)]
    assert "more than 100000 bytes" in log.damages[0].reason


def test_a_fetch_ends_when_enough_was_decompressed_and_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged_batches, "MAXIMUM_UNCOMPRESSED_BYTES", 100_000)
    log = DamagedLog(*(batch(first, [bytes(60_000)], codec=4) for first in range(4)))

    assert [log.read(position) for position in (0, 2)] == [([0, 1], 2), ([2, 3], 4)]
    assert log.damages == []


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_what_does_not_decompress_is_given_up_at_once(codec: int) -> None:
    def no_frame(content: bytearray) -> None:
        content[RECORDS : RECORDS + 8] = bytes(8)
        sealed(content)

    log = DamagedLog(*three(no_frame, codec), skips=False)

    assert log.read() == ([0, 1, 2, 3, 8, 9, 10, 11], 12)
    assert [(damage.start, damage.stop) for damage in log.damages] == [(4, 8)]
