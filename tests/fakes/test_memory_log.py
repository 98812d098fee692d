"""The log in memory beyond the ports: it fails when a test asks for it, and does nothing by itself."""

from __future__ import annotations

import pytest

from stream_detector.errors import CommitFailedError
from stream_detector.readings import Message
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_sink import MemorySink
from tests.fakes.memory_source import MemorySource


@pytest.fixture
def log() -> MemoryLog:
    made = MemoryLog()
    made.create_topic("in", 2)
    made.create_topic("out", 3)
    for number in range(10):
        made.append("in", number % 2, b"%d" % number)
    return made


def started(log: MemoryLog) -> MemorySource:
    """Return a source with all partitions at their first position."""
    source = MemorySource(log, "in", "group")
    for partition in source.poll(0).assigned:
        source.seek(partition, 0)
    return source


def test_a_test_decides_how_many_records_each_poll_gives(log: MemoryLog) -> None:
    source = started(log)
    source.next_limits.extend([1, 3])

    counts = [sum(len(chunk.records) for chunk in source.poll(0).chunks) for _ in range(4)]

    assert counts == [1, 3, 6, 0]


def test_a_commit_that_fails_before_leaves_nothing(log: MemoryLog) -> None:
    source, sink = started(log), MemorySink(log, "in")
    sink.fail_next_commit("before")

    with pytest.raises(CommitFailedError):
        sink.commit([Message("out", b"k", b"v")], {0: 3}, source.poll(0).membership)

    assert log.records("out") == []
    assert source.committed(0) is None


def test_a_commit_that_fails_after_has_taken_place(log: MemoryLog) -> None:
    source, sink = started(log), MemorySink(log, "in")
    sink.fail_next_commit("after")

    with pytest.raises(CommitFailedError):
        sink.commit([Message("out", b"k", b"v")], {0: 3}, source.poll(0).membership)

    assert [record.value for record in log.records("out")] == [b"v"]
    assert source.committed(0) == 3


def test_records_of_one_key_stay_in_one_partition_in_order_with_a_marker_after_each_transaction(log: MemoryLog) -> None:
    source, sink = started(log), MemorySink(log, "in")
    membership = source.poll(0).membership

    for number in range(3):
        sink.commit([Message("out", b"k", b"%d" % number)], {0: 0}, membership)

    (partition,) = {record.partition for record in log.records("out")}
    assert [(record.value, record.offset) for record in log.records("out")] == [(b"0", 0), (b"1", 2), (b"2", 4)]
    assert log.bounds("out", partition) == (0, 6)


def test_a_rebalance_on_demand_revokes_and_assigns_and_ends_the_generation(log: MemoryLog) -> None:
    source, sink = started(log), MemorySink(log, "in")
    membership = source.poll(0).membership
    source.rebalance([1])

    with pytest.raises(CommitFailedError):
        sink.commit([], {0: 5}, membership)
    polled = source.poll(0)

    assert polled.revoked == polled.assigned == {1}


def test_an_evicted_member_reads_on_without_membership_before_it_joins_again(log: MemoryLog) -> None:
    source = started(log)
    source.evict()

    unaware = source.poll(0)
    again = source.poll(0)

    assert unaware.membership is None
    assert sum(len(chunk.records) for chunk in unaware.chunks) == 10
    assert again.membership is not None
    assert again.revoked == again.assigned == {0, 1}
    assert again.chunks == ()


def test_the_partitions_of_a_killed_member_go_to_the_others(log: MemoryLog) -> None:
    killed, other = started(log), MemorySource(log, "in", "group")
    other.poll(0)
    killed.poll(0)
    first = other.poll(0).assigned

    killed.kill()

    assert len(first) == 1
    assert other.poll(0).assigned == {0, 1} - first


def test_equal_steps_give_equal_logs() -> None:
    def run() -> tuple[object, object]:
        log = MemoryLog()
        log.create_topic("in", 3)
        log.create_topic("out", 2)
        for number in range(9):
            log.append("in", number % 3, b"%d" % number)
        source, sink = started(log), MemorySink(log, "in")
        for chunk in source.poll(0).chunks:
            messages = [Message("out", record.value, record.value) for record in chunk.records]
            sink.commit(messages, {chunk.partition: chunk.stop}, source.poll(0).membership)
        return log.records("out"), log.topic_id("in")

    assert run() == run()
