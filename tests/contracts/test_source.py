"""The contract of ports.Source on reading, on the log in memory and on a real Kafka.

Open transactions and time-outs are tested on Kafka only: the log in memory has neither.
"""

from __future__ import annotations

import pytest

from stream_detector.errors import RetriableError
from stream_detector.ports import Chunk
from tests.contracts.brokers import START_MS, Broker, read_all
from tests.contracts.reader import SourceReader, reader_of


def test_a_new_member_gets_every_partition_and_reads_none_before_a_seek(world: Broker) -> None:
    world.produce(0, [b"a"])
    source = world.source()
    reader = SourceReader(source, world.patience_seconds, held=set())
    assigned: set[int] = set()

    for _ in range(100):
        polled = source.poll(0.1)
        assigned |= polled.assigned
        assert polled.chunks == ()
        if assigned:
            break
    source.seek(0, 0)
    reader.held = assigned
    reader.poll_until(lambda: bool(reader.chunks))

    assert assigned == {0, 1}
    assert reader.values(0) == [b"a"]


def test_chunks_chain_from_the_seek_to_the_end_and_hold_all_records(world: Broker) -> None:
    values = [b"%d" % place for place in range(25)]
    world.produce(0, values)
    world.produce(1, values[:5])
    source = world.source(max_poll_records=10)
    reader = reader_of(world, source)

    reader.poll_until(lambda: reader.position(0) == 25 and reader.position(1) == 5)

    assert reader.values(0) == values
    assert reader.values(1) == values[:5]
    assert all(len(chunk.records) <= 10 for chunk in reader.chunks)
    assert [record.offset for chunk in reader.chunks if chunk.partition == 0 for record in chunk.records] == list(range(25))


def test_records_carry_key_timestamp_and_place(world: Broker) -> None:
    world.produce(1, [b"a", b"b"])
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(1) == 2)

    (record,) = [record for chunk in reader.chunks for record in chunk.records if record.value == b"b"]
    assert (record.partition, record.offset, record.key, record.timestamp) == (1, 1, b"b", START_MS + 1000)
    assert list(record.headers) == []


def test_a_new_group_has_no_committed_position(world: Broker) -> None:
    source = world.source()

    assert [source.committed(partition) for partition in sorted(source.partitions())] == [None, None]


def test_aborted_records_are_skipped_and_markers_are_passed(world: Broker) -> None:
    world.produce_transaction(0, [b"a", b"b"], commit=True)  # offsets 0, 1 and the marker 2
    world.produce_transaction(0, [b"never"], commit=False)  # 3 and the marker 4
    world.produce(0, [b"c"])  # 5
    world.produce_transaction(0, [b"d"], commit=True)  # 6 and the marker 7
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(0) == 8)

    assert reader.values(0) == [b"a", b"b", b"c", b"d"]
    assert reader.source.bounds(0) == (0, 8)


def test_a_poll_that_meets_only_markers_moves_the_position(world: Broker) -> None:
    world.produce_transaction(0, [b"never", b"ever"], commit=False)
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(0) == 3)

    assert reader.values(0) == []


def test_a_compacted_topic_has_gaps_between_chained_chunks(world: Broker) -> None:
    world.produce_compacted(0, 5)
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(0) == 6)

    assert reader.values(0) == [b"4", b"last"]


def test_a_position_before_the_log_start_is_reported_as_lost_and_the_bounds_tell_where_to_go_on(world: Broker) -> None:
    world.produce(0, [b"%d" % place for place in range(10)])
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.position(0) == 10)
    sink.commit([], {0: 4}, reader.membership)
    world.trim(0, 7)

    reader.chunks.clear()
    reader.source.seek(0, 4)
    reader.start = lambda partition: reader.source.bounds(partition)[0]
    reader.revocations.clear()
    reader.poll_until(lambda: reader.position(0) == 10)

    assert reader.source.committed(0) == 4
    assert reader.source.bounds(0) == (7, 10)
    assert frozenset({0}) in reader.revocations
    assert reader.values(0) == [b"7", b"8", b"9"]


def test_the_ends_are_those_of_all_partitions_read_or_not(world: Broker) -> None:
    world.produce(1, [b"a", b"b", b"c"])
    source = world.source()

    before = dict(source.ends())
    world.produce(0, [b"d"])

    assert before == {0: 0, 1: 3}
    assert dict(source.ends()) == {0: 1, 1: 3}


def test_a_position_after_the_end_is_reported_as_lost(world: Broker) -> None:
    world.produce(0, [b"a"])
    reader = reader_of(world)
    reader.poll_until(lambda: reader.position(0) == 1)

    reader.chunks.clear()
    reader.source.seek(0, 100)
    reader.poll_until(lambda: reader.position(0) == 1)

    assert frozenset({0}) in reader.revocations
    assert reader.values(0) == [b"a"]


def test_paused_partitions_wait_until_they_are_sought(world: Broker) -> None:
    reader = reader_of(world)
    reader.poll_until(lambda: reader.held == {0, 1})
    reader.source.pause([0])
    world.produce(0, [b"a"])
    world.produce(1, [b"b"])

    reader.poll_until(lambda: reader.position(1) == 1)
    waited = reader.values(0)
    reader.source.seek(0, 0)
    reader.poll_until(lambda: reader.position(0) == 1)

    assert waited == []
    assert reader.values(0) == [b"a"]


def test_a_paused_partition_goes_on_where_it_was_when_it_is_resumed(world: Broker) -> None:
    world.produce(0, [b"%d" % place for place in range(20)])
    source = world.source(max_poll_records=5)
    reader = reader_of(world, source)
    reader.poll_until(lambda: reader.position(0) >= 5)
    source.pause([0])
    world.produce(1, [b"other"])
    reader.poll_until(lambda: reader.position(1) == 1)
    before = reader.position(0)
    reader.poll()
    waited = reader.position(0) == before

    source.resume([0])
    reader.poll_until(lambda: reader.position(0) == 20)

    assert waited
    assert reader.values(0) == [b"%d" % place for place in range(20)]


def test_a_partition_that_is_not_held_cannot_be_steered(world: Broker) -> None:
    source = world.source()

    source.seek(0, 5)
    source.pause([0])
    source.resume([0])

    assert source.poll(0.1).chunks == ()


def test_positions_are_found_by_time(world: Broker) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    source = world.source()

    assert source.position_at(0, START_MS - 5000) == 0
    assert source.position_at(0, START_MS + 1000) == 1
    assert source.position_at(0, START_MS + 1001) == 2
    assert source.position_at(0, START_MS + 2001) == 3
    assert source.position_at(1, START_MS) == 0


def test_a_topic_made_anew_has_another_identity_and_its_old_position_is_lost(world: Broker) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    reader = reader_of(world)
    reader.poll_until(lambda: reader.position(0) == 3)
    before = reader.source.topic_id()

    world.recreate()
    world.produce(0, [b"new"])
    reader.chunks.clear()
    reader.revocations.clear()
    reader.poll_until(lambda: reader.position(0) == 1)

    assert reader.source.topic_id() != before
    assert any(0 in revoked for revoked in reader.revocations)
    assert reader.values(0) == [b"new"]


def test_spans_are_read_outside_the_group(world: Broker) -> None:
    world.produce(0, [b"%d" % place for place in range(250)])
    world.produce_transaction(0, [b"never"], commit=False)  # 250 and the marker 251
    source = world.source()

    assert read_all(source.read, 0, 0, 252) == [b"%d" % place for place in range(250)]
    assert read_all(source.read, 0, 10, 12) == [b"10", b"11"]
    assert source.read(0, 5, 5, 10) == Chunk(0, 5, 5, ())
    assert source.read(0, 250, 252, 10).stop == 252
    assert len(source.read(0, 0, 250, 7).records) <= 7


def test_spans_of_several_partitions_are_read_in_turn(world: Broker) -> None:
    world.produce(0, [b"a%d" % place for place in range(30)])
    world.produce(1, [b"b%d" % place for place in range(30)])
    source = world.source()
    values: dict[int, list[bytes | None]] = {0: [], 1: []}
    starts = {0: 0, 1: 0}

    while min(starts.values()) < 30:
        for partition in (0, 1):
            chunk = source.read(partition, starts[partition], 30, 4)
            values[partition].extend(record.value for record in chunk.records)
            starts[partition] = chunk.stop

    assert values[0] == [b"a%d" % place for place in range(30)]
    assert values[1] == [b"b%d" % place for place in range(30)]


def test_reading_where_the_log_holds_nothing_ends_with_an_error(world: Broker) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    world.trim(0, 2)
    source = world.source()

    with pytest.raises(RetriableError):
        source.read(0, 0, 3, 10)
    with pytest.raises(RetriableError):
        source.read(0, 3, 5, 10)

    assert read_all(source.read, 0, 2, 3) == [b"c"]
