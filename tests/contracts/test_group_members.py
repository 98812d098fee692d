"""The contract of ports.Source as a consumer group member, on the log in memory and on a real Kafka.

Open transactions and time-outs are tested on Kafka only: the log in memory has neither.
"""

from __future__ import annotations

import pytest

from stream_detector.errors import FencedError, MembershipLostError
from stream_detector.readings import Message
from tests.contracts.brokers import Broker
from tests.contracts.reader import reader_of


def test_an_added_partition_is_noticed(world: Broker) -> None:
    reader = reader_of(world)
    reader.poll_until(lambda: reader.held == {0, 1})
    world.add_partitions(3)

    reader.poll_until(lambda: reader.held == {0, 1, 2})
    world.produce(2, [b"new"])
    reader.poll_until(lambda: reader.position(2) == 1)

    assert reader.values(2) == [b"new"]
    assert reader.source.partitions() == {0, 1, 2}


def test_a_second_member_takes_its_share_and_gives_it_back(world: Broker) -> None:
    one = reader_of(world)
    one.poll_until(lambda: one.held == {0, 1})
    two = reader_of(world)

    one.poll_until(lambda: len(one.held) == len(two.held) == 1, two)
    shares = one.held | two.held
    two.source.close()
    one.poll_until(lambda: one.held == {0, 1})

    assert shares == {0, 1}


def test_a_batch_read_before_a_rebalance_cannot_rewind_the_new_owner(world: Broker) -> None:
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


def test_records_polled_while_a_second_member_joins_are_neither_lost_nor_doubled(world: Broker) -> None:
    one = reader_of(world, world.source(max_poll_records=3))
    one.poll_until(lambda: one.held == {0, 1})
    world.produce(0, [b"%d" % place for place in range(20)])
    world.produce(1, [b"%d" % place for place in range(20)])
    two = reader_of(world, start=lambda _partition: 20)  # what it takes over it does not read

    one.poll_until(lambda: len(one.held) == len(two.held) == 1, two)
    (kept,) = one.held
    one.poll_until(lambda: one.position(kept) == 20, two)

    assert one.values(kept) == [b"%d" % place for place in range(20)]


def test_the_membership_of_an_evicted_member_is_refused(world: Broker) -> None:
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


def test_a_restarted_replica_gets_its_partitions_back(world: Broker) -> None:
    before = reader_of(world, world.source("replica-1"))
    other = reader_of(world, world.source("replica-2"))
    before.poll_until(lambda: len(before.held) == len(other.held) == 1, other)
    held = set(before.held)

    before.source.close()
    after = reader_of(world, world.source("replica-1"))
    after.poll_until(lambda: bool(after.held), other)

    assert after.held == held


def test_two_replicas_of_one_instance_id_stop_the_earlier(world: Broker) -> None:
    earlier = reader_of(world, world.source("replica-1"))
    earlier.poll_until(lambda: earlier.held == {0, 1})
    stale = earlier.membership
    later, sink = reader_of(world, world.source("replica-1")), world.sink()
    later.poll_until(lambda: later.held == {0, 1})

    with pytest.raises(FencedError, match="replica-1"):
        sink.commit([], {0: 0}, stale)
    with pytest.raises(FencedError, match="replica-1"):
        earlier.poll_until(lambda: False)
