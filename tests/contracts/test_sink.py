"""The contract of ports.Sink, on the log in memory and on a real Kafka.

Open transactions and time-outs are tested on Kafka only: the log in memory has neither.
"""

from __future__ import annotations

import pytest

from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.errors import CommitFailedError, MembershipLostError, PermanentDeliveryError
from stream_detector.ports import MAXIMUM_NOTE_BYTES
from stream_detector.readings import Message
from tests.contracts.brokers import MAX_RECORD_BYTES, Broker, KafkaBroker
from tests.contracts.reader import reader_of


def test_messages_and_positions_are_committed_together_and_found_after_a_restart(world: Broker) -> None:
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


def test_positions_are_committed_without_messages_too(world: Broker) -> None:
    world.produce(0, [b"a"])
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.position(0) == 1)

    sink.commit([], {0: 1, 1: 0}, reader.membership)

    assert [reader.source.committed(0), reader.source.committed(1)] == [1, 0]
    assert world.output() == []


def test_a_position_takes_its_note_with_it_and_loses_it_without_one(world: Broker) -> None:
    world.produce(0, [b"a", b"b"])
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.position(0) == 2)
    longest = "n" * MAXIMUM_NOTE_BYTES

    unknown = reader.source.note(0)
    sink.commit([], {0: 1, 1: 0}, reader.membership, {0: longest})
    found = [reader.source.note(0), reader.source.note(1)]
    sink.commit([], {0: 1}, reader.membership, {0: "the same position, another note"})
    replaced = reader.source.note(0), reader.source.committed(0)
    sink.commit([], {0: 2}, reader.membership)

    assert unknown == ""
    assert found == [longest, ""]
    assert replaced == ("the same position, another note", 1)
    assert (reader.source.note(0), reader.source.committed(0)) == ("", 2)


def test_the_note_of_a_failed_transaction_is_not_kept(world: Broker) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    sink.commit([], {0: 1}, reader.membership, {0: "kept"})

    with pytest.raises(PermanentDeliveryError):
        sink.commit([Message("no-such-topic", b"k", b"v")], {0: 2}, reader.membership, {0: "lost"})

    assert (reader.source.note(0), reader.source.committed(0)) == ("kept", 1)


def test_no_membership_is_refused(world: Broker) -> None:
    sink, source = world.sink(), world.source()

    with pytest.raises(MembershipLostError):
        sink.commit([Message(world.output_topic, b"k", b"v")], {0: 0}, None)

    assert source.committed(0) is None
    assert world.output() == []


def test_a_sink_works_again_only_after_a_reset(world: Broker) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    with pytest.raises(CommitFailedError):
        sink.commit([], {0: 0}, None)

    with pytest.raises(CommitFailedError):
        sink.commit([Message(world.output_topic, b"k", b"too early")], {0: 0}, reader.membership)
    sink.reset()
    sink.commit([Message(world.output_topic, b"k", b"v")], {0: 0}, reader.membership)

    assert world.output() == [b"v"]


def test_offsets_of_a_failed_transaction_do_not_come_with_the_next_one(world: Broker) -> None:
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


def test_a_later_sink_of_the_same_replica_fences_the_earlier(world: Broker) -> None:
    reader, earlier = reader_of(world, world.source("replica-1")), world.sink("replica-1")
    reader.poll_until(lambda: reader.held == {0, 1})
    later = world.sink("replica-1")

    with pytest.raises(CommitFailedError):
        earlier.commit([Message(world.output_topic, b"k", b"zombie")], {0: 0}, reader.membership)
    later.commit([Message(world.output_topic, b"k", b"alive")], {0: 0}, reader.membership)

    assert world.output() == [b"alive"]


def test_a_record_that_is_too_large_is_refused_for_good(world: Broker) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})
    messages = [Message(world.output_topic, b"k", b"small"), Message(world.output_topic, b"k", b"x" * (MAX_RECORD_BYTES + 1))]

    with pytest.raises(PermanentDeliveryError, match=rf"{world.output_topic}.* {MAX_RECORD_BYTES + 2} bytes"):
        sink.commit(messages, {0: 0}, reader.membership)

    assert world.output() == []
    assert reader.source.committed(0) is None


def test_a_topic_that_does_not_exist_is_refused_for_good(world: Broker) -> None:
    reader, sink = reader_of(world), world.sink()
    reader.poll_until(lambda: reader.held == {0, 1})

    with pytest.raises(PermanentDeliveryError, match="no-such-topic does not exist"):
        sink.commit([Message("no-such-topic", b"k", b"v")], {0: 0}, reader.membership)

    assert reader.source.committed(0) is None


def test_closing_twice_is_fine(world: Broker) -> None:
    source, sink = world.source(), world.sink()

    for _ in range(2):
        source.close()
        sink.close()

    assert isinstance(sink, KafkaSink) == isinstance(world, KafkaBroker)
