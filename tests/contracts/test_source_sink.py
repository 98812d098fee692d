"""What every ports.Source and ports.Sink does, shown on the log in memory and on a real Kafka.

Not shown in memory: transactions that are still open, and whatever is about time-outs; the log in memory has neither.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.errors import CommitFailedError, FencedError, MembershipLostError, PermanentDeliveryError, RetriableError
from stream_detector.ports import Chunk, Polled, Source
from stream_detector.readings import Membership, Message
from tests.contracts.worlds import MAX_RECORD_BYTES, START_MS, KafkaWorld, MemoryWorld, World, read_all

PARTITIONS = 2


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest, unique_name: str) -> Iterator[World]:
    made: MemoryWorld | KafkaWorld
    if request.param == "memory":
        made = MemoryWorld(f"{unique_name}.input", f"{unique_name}.output")
    else:
        made = KafkaWorld(request.getfixturevalue("kafka_brokers"), unique_name)
    made.create(PARTITIONS)
    yield made
    made.close()


@dataclass
class Reader:
    """Does what a pipeline does with a source: seeks what is assigned, and keeps what comes."""

    source: Source
    patience_seconds: float
    start: Callable[[int], int] = lambda _partition: 0
    held: set[int] = field(default_factory=set)
    chunks: list[Chunk] = field(default_factory=list)
    membership: Membership | None = None
    revocations: list[frozenset[int]] = field(default_factory=list)

    def poll(self) -> Polled:
        polled = self.source.poll(0.1)
        assert not polled.revoked - self.held, "revoked without having been assigned"
        self.held -= polled.revoked
        assert not polled.assigned & self.held, "assigned twice"
        self.held |= polled.assigned
        assert {chunk.partition for chunk in polled.chunks} <= self.held - polled.assigned
        for partition in polled.assigned:
            self.source.seek(partition, self.start(partition))
        self.revocations.append(polled.revoked)
        self.membership = polled.membership
        if polled.membership is not None:
            self.chunks.extend(polled.chunks)
        return polled

    def poll_until(self, condition: Callable[[], bool], *others: Reader) -> None:
        """Poll, and let others poll, until a condition holds."""
        deadline = time.monotonic() + self.patience_seconds
        for turn in range(10**6):
            for reader in (self, *others):
                reader.poll()
            if condition():
                return
            assert turn < 10 or time.monotonic() < deadline, "it did not come about in time"

    def values(self, partition: int) -> list[bytes | None]:
        return [record.value for chunk in self.chunks if chunk.partition == partition for record in chunk.records]

    def position(self, partition: int) -> int:
        """Return where the last chunk ended, after checking that the chunks chain."""
        spans = [(chunk.start, chunk.stop) for chunk in self.chunks if chunk.partition == partition]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
        return spans[-1][1] if spans else -1


def reader_of(world: World, source: Source | None = None, start: Callable[[int], int] = lambda _partition: 0) -> Reader:
    return Reader(source or world.source(), world.patience_seconds, start)


def test_a_new_member_gets_every_partition_and_reads_none_before_a_seek(world: World) -> None:
    world.produce(0, [b"a"])
    source = world.source()
    reader = Reader(source, world.patience_seconds, held=set())
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


def test_chunks_chain_from_the_seek_to_the_end_and_hold_all_records(world: World) -> None:
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


def test_records_carry_key_timestamp_and_place(world: World) -> None:
    world.produce(1, [b"a", b"b"])
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(1) == 2)

    (record,) = [record for chunk in reader.chunks for record in chunk.records if record.value == b"b"]
    assert (record.partition, record.offset, record.key, record.timestamp) == (1, 1, b"b", START_MS + 1000)
    assert list(record.headers) == []


def test_a_new_group_has_no_committed_position(world: World) -> None:
    source = world.source()

    assert [source.committed(partition) for partition in sorted(source.partitions())] == [None, None]


def test_messages_and_positions_are_committed_together_and_found_after_a_restart(world: World) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    reader, sink = reader_of(world, world.source(max_poll_records=2)), world.sink()
    reader.poll_until(lambda: reader.position(0) == 2)

    sink.commit(
        [Message(world.output_topic, b"k", b"first"), Message(world.output_topic, b"k", b"second")], {0: 2}, reader.membership
    )
    reader.source.close()
    sink.close()
    again = reader_of(world, start=lambda partition: again.source.committed(partition) or 0)
    again.poll_until(lambda: again.position(0) == 3)

    assert world.output() == [b"first", b"second"]
    assert again.values(0) == [b"c"]
    assert again.source.committed(1) is None


def test_positions_are_committed_without_messages_too(world: World) -> None:
    world.produce(0, [b"a"])
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.position(0) == 1)

    sink.commit([], {0: 1, 1: 0}, reader.membership)

    assert [reader.source.committed(0), reader.source.committed(1)] == [1, 0]
    assert world.output() == []


def test_aborted_records_are_skipped_and_markers_are_passed(world: World) -> None:
    world.produce_transaction(0, [b"a", b"b"], commit=True)  # offsets 0, 1 and the marker 2
    world.produce_transaction(0, [b"never"], commit=False)  # 3 and the marker 4
    world.produce(0, [b"c"])  # 5
    world.produce_transaction(0, [b"d"], commit=True)  # 6 and the marker 7
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(0) == 8)

    assert reader.values(0) == [b"a", b"b", b"c", b"d"]
    assert reader.source.bounds(0) == (0, 8)


def test_a_poll_that_meets_only_markers_moves_the_position(world: World) -> None:
    world.produce_transaction(0, [b"never", b"ever"], commit=False)
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(0) == 3)

    assert reader.values(0) == []


def test_a_compacted_topic_has_gaps_between_chained_chunks(world: World) -> None:
    world.produce_compacted(0, 5)
    reader = reader_of(world)

    reader.poll_until(lambda: reader.position(0) == 6)

    assert reader.values(0) == [b"4", b"last"]


def test_an_added_partition_is_noticed(world: World) -> None:
    reader = reader_of(world)
    reader.poll_until(lambda: reader.held == {0, 1})
    world.add_partitions(3)

    reader.poll_until(lambda: reader.held == {0, 1, 2})
    world.produce(2, [b"new"])
    reader.poll_until(lambda: reader.position(2) == 1)

    assert reader.values(2) == [b"new"]
    assert reader.source.partitions() == {0, 1, 2}


def test_a_position_before_the_log_start_is_reported_as_lost_and_the_bounds_tell_where_to_go_on(world: World) -> None:
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


def test_a_position_after_the_end_is_reported_as_lost(world: World) -> None:
    world.produce(0, [b"a"])
    reader = reader_of(world)
    reader.poll_until(lambda: reader.position(0) == 1)

    reader.chunks.clear()
    reader.source.seek(0, 100)
    reader.poll_until(lambda: reader.position(0) == 1)

    assert frozenset({0}) in reader.revocations
    assert reader.values(0) == [b"a"]


def test_paused_partitions_wait_until_they_are_sought(world: World) -> None:
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


def test_a_partition_that_is_not_held_cannot_be_steered(world: World) -> None:
    source = world.source()

    source.seek(0, 5)
    source.pause([0])

    assert source.poll(0.1).chunks == ()


def test_a_second_member_takes_its_share_and_gives_it_back(world: World) -> None:
    one = reader_of(world)
    one.poll_until(lambda: one.held == {0, 1})
    two = reader_of(world)

    one.poll_until(lambda: len(one.held) == len(two.held) == 1, two)
    shares = one.held | two.held
    two.source.close()
    one.poll_until(lambda: one.held == {0, 1})

    assert shares == {0, 1}


def test_a_batch_read_before_a_rebalance_cannot_rewind_the_new_owner(world: World) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    world.produce(1, [b"a", b"b", b"c"])
    one, sink_one = reader_of(world, world.source(max_poll_records=2)), world.sink()
    one.poll_until(lambda: one.position(0) >= 2 and one.position(1) >= 2)
    stale = one.membership
    two, sink_two = reader_of(world), world.sink()

    one.poll_until(lambda: len(one.held) == len(two.held) == 1, two)
    (moved,) = two.held
    two.poll_until(lambda: two.position(moved) == 3, one)
    sink_two.commit([Message(world.output_topic, b"k", b"of two")], {moved: 3}, two.membership)
    with pytest.raises(MembershipLostError):
        sink_one.commit([Message(world.output_topic, b"k", b"of one")], {moved: 2}, stale)

    assert two.source.committed(moved) == 3
    assert world.output() == [b"of two"]


def test_records_polled_while_a_second_member_joins_are_neither_lost_nor_doubled(world: World) -> None:
    one = reader_of(world, world.source(max_poll_records=3))
    one.poll_until(lambda: one.held == {0, 1})
    world.produce(0, [b"%d" % place for place in range(20)])
    world.produce(1, [b"%d" % place for place in range(20)])
    two = reader_of(world, start=lambda _partition: 20)  # what it takes over it does not read

    one.poll_until(lambda: len(one.held) == len(two.held) == 1, two)
    (kept,) = one.held
    one.poll_until(lambda: one.position(kept) == 20, two)

    assert one.values(kept) == [b"%d" % place for place in range(20)]


def test_the_membership_of_an_evicted_member_is_refused(world: World) -> None:
    world.produce(0, [b"a", b"b"])
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.position(0) == 2)
    sink.commit([], {0: 2}, reader.membership)
    stale = reader.membership

    world.evict(reader.source)
    with pytest.raises(MembershipLostError):
        sink.commit([Message(world.output_topic, b"k", b"late")], {0: 1}, stale)
    reader.revocations.clear()
    reader.poll_until(lambda: frozenset({0, 1}) in reader.revocations and reader.held == {0, 1})
    sink.reset()
    sink.commit([Message(world.output_topic, b"k", b"in time")], {0: 2}, reader.membership)

    assert reader.source.committed(0) == 2
    assert world.output() == [b"in time"]


def test_no_membership_is_refused(world: World) -> None:
    sink, source = world.sink(), world.source()

    with pytest.raises(MembershipLostError):
        sink.commit([Message(world.output_topic, b"k", b"v")], {0: 0}, None)

    assert source.committed(0) is None
    assert world.output() == []


def test_a_sink_works_again_only_after_a_reset(world: World) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    with pytest.raises(CommitFailedError):
        sink.commit([], {0: 0}, None)

    with pytest.raises(CommitFailedError):
        sink.commit([Message(world.output_topic, b"k", b"too early")], {0: 0}, reader.membership)
    sink.reset()
    sink.commit([Message(world.output_topic, b"k", b"v")], {0: 0}, reader.membership)

    assert world.output() == [b"v"]


def test_offsets_of_a_failed_transaction_do_not_come_with_the_next_one(world: World) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    stale = reader.membership
    world.evict(reader.source)
    with pytest.raises(MembershipLostError):
        sink.commit([], {0: 7}, stale)
    reader.revocations.clear()
    reader.poll_until(lambda: frozenset({0, 1}) in reader.revocations and reader.held == {0, 1})

    sink.reset()
    sink.commit([], {1: 3}, reader.membership)

    assert [reader.source.committed(0), reader.source.committed(1)] == [None, 3]


def test_a_later_sink_of_the_same_replica_fences_the_earlier(world: World) -> None:
    reader, earlier = reader_of(world, world.source("replica-1")), world.sink("replica-1")
    reader.poll_until(lambda: reader.held == {0, 1})
    later = world.sink("replica-1")

    with pytest.raises(CommitFailedError):
        earlier.commit([Message(world.output_topic, b"k", b"zombie")], {0: 0}, reader.membership)
    later.commit([Message(world.output_topic, b"k", b"alive")], {0: 0}, reader.membership)

    assert world.output() == [b"alive"]


def test_a_restarted_replica_gets_its_partitions_back(world: World) -> None:
    before = reader_of(world, world.source("replica-1"))
    other = reader_of(world, world.source("replica-2"))
    before.poll_until(lambda: len(before.held) == len(other.held) == 1, other)
    held = set(before.held)

    before.source.close()
    after = reader_of(world, world.source("replica-1"))
    after.poll_until(lambda: bool(after.held), other)

    assert after.held == held


def test_two_replicas_of_one_instance_id_stop_the_earlier(world: World) -> None:
    earlier = reader_of(world, world.source("replica-1"))
    earlier.poll_until(lambda: earlier.held == {0, 1})
    stale = earlier.membership
    later, sink = reader_of(world, world.source("replica-1")), world.sink()
    later.poll_until(lambda: later.held == {0, 1})

    with pytest.raises(FencedError, match="replica-1"):
        sink.commit([], {0: 0}, stale)
    with pytest.raises(FencedError, match="replica-1"):
        earlier.poll_until(lambda: False)


def test_positions_are_found_by_time(world: World) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    source = world.source()

    assert source.position_at(0, START_MS - 5000) == 0
    assert source.position_at(0, START_MS + 1000) == 1
    assert source.position_at(0, START_MS + 1001) == 2
    assert source.position_at(0, START_MS + 2001) == 3
    assert source.position_at(1, START_MS) == 0


def test_a_topic_made_anew_has_another_identity_and_its_old_position_is_lost(world: World) -> None:
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


def test_spans_are_read_outside_the_group(world: World) -> None:
    world.produce(0, [b"%d" % place for place in range(250)])
    world.produce_transaction(0, [b"never"], commit=False)  # 250 and the marker 251
    source = world.source()

    assert read_all(source.read, 0, 0, 252) == [b"%d" % place for place in range(250)]
    assert read_all(source.read, 0, 10, 12) == [b"10", b"11"]
    assert source.read(0, 5, 5, 10) == Chunk(0, 5, 5, ())
    assert source.read(0, 250, 252, 10).stop == 252
    assert len(source.read(0, 0, 250, 7).records) <= 7


def test_spans_of_several_partitions_are_read_in_turn(world: World) -> None:
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


def test_reading_where_the_log_holds_nothing_ends_with_an_error(world: World) -> None:
    world.produce(0, [b"a", b"b", b"c"])
    world.trim(0, 2)
    source = world.source()

    with pytest.raises(RetriableError):
        source.read(0, 0, 3, 10)
    with pytest.raises(RetriableError):
        source.read(0, 3, 5, 10)

    assert read_all(source.read, 0, 2, 3) == [b"c"]


def test_a_record_that_is_too_large_is_refused_for_good(world: World) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    messages = [Message(world.output_topic, b"k", b"small"), Message(world.output_topic, b"k", b"x" * (MAX_RECORD_BYTES + 1))]

    with pytest.raises(PermanentDeliveryError, match=rf"{world.output_topic}.* {MAX_RECORD_BYTES + 2} bytes"):
        sink.commit(messages, {0: 0}, reader.membership)

    assert world.output() == []
    assert reader.source.committed(0) is None


def test_a_topic_that_does_not_exist_is_refused_for_good(world: World) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})

    with pytest.raises(PermanentDeliveryError, match="no-such-topic does not exist"):
        sink.commit([Message("no-such-topic", b"k", b"v")], {0: 0}, reader.membership)

    assert reader.source.committed(0) is None


def test_closing_twice_is_fine(world: World) -> None:
    source, sink = world.source(), world.sink()

    for _ in range(2):
        source.close()
        sink.close()

    assert isinstance(sink, KafkaSink) == isinstance(world, KafkaWorld)
