"""What a fetch returned is given in the same portions, with the same positions, as by the client's own class."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords

from stream_detector.adapters.kafka_batches import DeliverableBatches
from stream_detector.adapters.kafka_partition import partition_records
from tests.adapters.kafka_bytes import TP, TRANSACTIONAL, Row, batch, marker, ours

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
