"""The records of a fetch come in the same portions, with the same positions, as from the client's own class."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords

from stream_detector.adapters.kafka.client_patches.damaged_batches import Damage, DeliverableBatches
from stream_detector.adapters.kafka.client_patches.partition_records import partition_records
from tests.adapters.kafka.kafka_bytes import RECORDS, TP, TRANSACTIONAL, Row, batch, marker, old_batch, ours, sealed

START = 1000


@st.composite
def logs(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    """Draw batches inside and outside of transactions, and the transactions that a broker says were aborted."""
    content, offset = batch(START, [Row(0, None, b"value")] * 4), START + 4
    aborted, open_since = [], dict[int, int]()
    for _ in range(draw(st.integers(1, 8))):
        offset += draw(st.sampled_from([0, 0, 3]))
        producer = draw(st.sampled_from([-1, 1, 2]))
        if producer in open_since and draw(st.booleans()):
            aborts = draw(st.booleans())
            first = open_since.pop(producer)
            if aborts:
                aborted.append(SimpleNamespace(producer_id=producer, first_offset=first))
            content += marker(offset, producer, aborts=aborts)
            offset += 1
            continue
        if producer >= 0:
            open_since.setdefault(producer, offset)
        count = draw(st.integers(1, 4))
        rows = [Row(place, b"key", b"value") for place in range(count)]
        content += batch(offset, rows, TRANSACTIONAL if producer >= 0 else 0, draw(st.sampled_from([0, 3])), producer)
        offset += count
    return content, aborted


@given(logs(), st.integers(START - 2, START + 3), st.lists(st.integers(1, 5), max_size=12), st.sampled_from(IsolationLevel))
def test_every_portion_and_position_is_the_clients(
    log: tuple[bytes, list[Any]], start: int, portions: list[int], isolation: IsolationLevel
) -> None:
    content, aborted = log
    drained: list[int] = []
    options = {"isolation_level": isolation, "aborted_transactions": aborted}
    batches = DeliverableBatches(MemoryRecords(content), start, lambda: None, lambda _: True)
    mine = partition_records(start, TP, batches, on_drain=lambda part: drained.append(part.bytes_read), **options)
    theirs = Fetcher.PartitionRecords(start, TP, MemoryRecords(content), **options)

    for most in [*portions, 1000]:
        if not theirs:
            break
        assert mine.take(most) == [ours(record) for record in theirs.take(most)]
        assert (mine.next_fetch_offset, mine.leader_epoch, bool(mine)) == (
            theirs.next_fetch_offset,
            theirs.leader_epoch,
            bool(theirs),
        )
    assert [size > 0 for size in drained] == [theirs.bytes_read > 0]


@pytest.mark.parametrize("isolation", IsolationLevel)
def test_a_marker_whose_record_was_compacted_away_is_passed_over(isolation: IsolationLevel) -> None:
    empty = bytearray(marker(START + 2, 1, aborts=True))
    empty = empty[:RECORDS]
    struct.pack_into(">i", empty, RECORDS - 4, 0)
    struct.pack_into(">i", empty, 8, len(empty) - 12)
    rows = [Row(0, None, b"value")] * 2
    content = batch(START, rows) + sealed(empty) + batch(START + 3, rows)
    held = partition_records(START, TP, batches_of(content, START), isolation_level=isolation)

    assert [record.offset - START for record in held.take(10)] == [0, 1, 3, 4]
    assert (held.next_fetch_offset, bool(held)) == (START + 5, False)


def test_a_batch_of_an_older_format_that_cannot_be_decompressed_is_passed_over() -> None:
    rows = [Row(0, None, b"value")] * 4
    damaged = old_batch(rows, magic=1, codec=1)
    damaged[-1] ^= 1
    struct.pack_into(">I", damaged, 12, crc32(damaged[16:]))  # the damage is older than the checksum
    damages: list[Damage] = []
    batches = batches_of(bytes(damaged) + batch(4, rows), 0, damages)
    held = partition_records(0, TP, batches)

    assert [record.offset for record in held.take(10)] == [4, 5, 6, 7]
    assert (held.next_fetch_offset, bool(held)) == (8, False)
    assert [(damage.start, damage.stop, damage.may_recover) for damage in damages] == [(0, 4, False)]


def test_reading_goes_on_behind_a_last_batch_of_an_older_format_that_cannot_be_decompressed() -> None:
    damaged = old_batch([Row(0, None, b"value")], magic=1, codec=1)
    damaged[-1] ^= 1
    struct.pack_into(">I", damaged, 12, crc32(damaged[16:]))
    held = partition_records(0, TP, batches_of(bytes(damaged), 0))

    assert held.take(10) == []
    assert (held.next_fetch_offset, bool(held)) == (1, False)


def batches_of(content: bytes, start: int, damages: list[Damage] | None = None) -> DeliverableBatches:
    """Return the batches of one fetch; all damage is skipped and recorded."""
    noted = [] if damages is None else damages

    def skips(damage: Damage) -> bool:
        noted.append(damage)
        return True

    return DeliverableBatches(MemoryRecords(content), start, lambda: None, skips)
