"""What the source does that only a real Kafka shows: open transactions, eviction, and brokers that do not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from kafka import ConsumerGroupMetadata, KafkaProducer
from kafka.errors import KafkaConnectionError

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.options import producer_options
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.errors import RetriableError, SettingsError
from stream_detector.ports import Polled
from stream_detector.readings import Message
from tests.contracts.brokers import START_MS, KafkaBroker
from tests.integration.topics import until
from tests.servers.socks_proxy import SocksProxy


@pytest.fixture
def world(kafka_brokers: str, unique_name: str) -> Iterator[KafkaBroker]:
    made = KafkaBroker(kafka_brokers, unique_name)
    made.create(2)
    yield made
    made.close()


def joined(world: KafkaBroker, source: KafkaSource) -> frozenset[int]:
    """Poll until partitions are assigned."""
    assigned: set[int] = set()

    def poll() -> bool:
        assigned.update(source.poll(0.1).assigned)
        return bool(assigned)

    until(poll, world.patience_seconds)
    return frozenset(assigned)


def member_of(polled: Polled) -> ConsumerGroupMetadata:
    """Return the proof of membership of a poll; there must be one."""
    assert isinstance(polled.membership, ConsumerGroupMetadata)
    return polled.membership


def test_a_lone_member_is_told_its_partitions_with_its_membership(world: KafkaBroker) -> None:
    source = world.source()
    polls = []

    def is_member() -> bool:
        polls.append(source.poll(0))
        return polls[-1].membership is not None

    until(is_member, world.patience_seconds)

    assert polls[-1].assigned == {0, 1}


@pytest.fixture
def open_transaction(world: KafkaBroker) -> Iterator[KafkaProducer]:
    """A producer in the middle of a transaction: one record of partition 0 is sent."""
    producer: KafkaProducer = open_client(KafkaProducer, producer_options(world.settings, f"{world.settings.group_id}-open"))
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(world.input_topic, b"open", b"k", partition=0, timestamp_ms=START_MS)
    producer.flush(timeout=world.patience_seconds)
    yield producer
    producer.close(timeout=world.patience_seconds)


def test_records_of_an_open_transaction_and_those_after_it_wait(world: KafkaBroker, open_transaction: KafkaProducer) -> None:
    world.produce(0, [b"after"])
    source = world.source()
    joined(world, source)
    source.seek(0, 0)

    waiting = [source.poll(0.1).chunks for _ in range(5)]
    bounds = source.bounds(0)
    open_transaction.commit_transaction()
    values: list[bytes | None] = []

    def poll() -> bool:
        values.extend(record.value for chunk in source.poll(0.1).chunks for record in chunk.records)
        return len(values) == 2

    until(poll, world.patience_seconds)

    assert waiting == [()] * 5
    assert bounds == (0, 0)
    assert values == [b"open", b"after"]


def test_a_committed_position_is_not_told_while_a_transaction_may_change_it(
    world: KafkaBroker, open_transaction: KafkaProducer
) -> None:
    world.settings = world.settings.model_copy(update={"request_timeout_seconds": 1})
    source = world.source()
    joined(world, source)
    membership = source.poll(0).membership
    from kafka import OffsetAndMetadata, TopicPartition

    offsets = {TopicPartition(world.input_topic, 0): OffsetAndMetadata(5, "", -1)}
    open_transaction.send_offsets_to_transaction(offsets, membership)

    with pytest.raises(RetriableError):
        source.committed(0)
    open_transaction.commit_transaction()

    assert source.committed(0) == 5


def test_an_added_partition_is_assigned_however_short_the_polls_are(world: KafkaBroker) -> None:
    source = world.source()
    joined(world, source)
    world.add_partitions(3)
    assigned: set[int] = set()

    def poll() -> bool:
        assigned.update(source.poll(0).assigned)
        return 2 in assigned

    until(poll, world.patience_seconds)

    assert assigned == {2}


def test_a_member_that_polls_too_seldom_has_no_membership_until_it_has_joined_again(
    kafka_brokers: str, unique_name: str
) -> None:
    world = KafkaBroker(kafka_brokers, unique_name, max_poll_interval_ms=1000)
    world.create(2)
    source = world.source()
    held = joined(world, source)

    until(lambda: source._member.proof() is None, world.patience_seconds)  # it was evicted for not polling
    revoked: set[int] = set()
    again: set[int] = set()

    def poll() -> bool:
        polled = source.poll(0.1)
        revoked.update(polled.revoked)
        again.update(polled.assigned)
        return bool(again) and polled.membership is not None

    until(poll, world.patience_seconds)
    world.close()

    assert held == revoked == again == {0, 1}


def test_a_busy_member_that_polls_with_everything_paused_stays(kafka_brokers: str, unique_name: str) -> None:
    world = KafkaBroker(kafka_brokers, unique_name, max_poll_interval_ms=1500)
    world.create(1)
    world.produce(0, [b"a"])
    source = world.source()
    joined(world, source)
    source.seek(0, 0)
    source.pause([0])
    before = member_of(source.poll(0))

    until_later = time.monotonic() + 3.0
    polls = []
    while time.monotonic() < until_later:
        polls.append(source.poll(0))
        time.sleep(0.3)  # stands for work
    world.close()

    assert all(member_of(polled)[:3] == before[:3] and polled.chunks == () for polled in polls)


def test_a_session_time_out_that_the_broker_refuses_is_a_settings_error(world: KafkaBroker) -> None:
    world.settings = world.settings.model_copy(update={"session_timeout_seconds": 0.4})
    source = world.source()

    with pytest.raises(SettingsError, match="STREAM_DETECTOR_KAFKA__SESSION_TIMEOUT_SECONDS"):
        joined(world, source)


CALLS: dict[str, Callable[[KafkaSource], object]] = {
    "committed": lambda source: source.committed(0),
    "note": lambda source: source.note(0),
    "ends": lambda source: source.ends(),
    "partitions": lambda source: source.partitions(),
    "topic_id": lambda source: source.topic_id(),
    "bounds": lambda source: source.bounds(0),
    "position_at": lambda source: source.position_at(0, START_MS),
    "read": lambda source: source.read(0, 0, 1, 10),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_question_ends_though_the_brokers_are_silent(world: KafkaBroker, call: Callable[[KafkaSource], object]) -> None:
    world.produce(0, [b"a"])
    network = SocksProxy()
    extra = {**world.settings.extra, "proxy_url": network.url}
    source = KafkaSource(world.settings.model_copy(update={"extra": extra, "request_timeout_seconds": 1}))
    joined(world, source)
    call(source)

    network.silence()
    with pytest.raises(RetriableError):
        call(source)
    silent_poll = source.poll(0.1)
    network.restore()
    until(lambda: _answers(call, source), world.patience_seconds)
    source.close()
    network.close()

    assert silent_poll.chunks == ()


def test_a_position_is_asked_for_anew_though_the_answer_to_an_earlier_question_came_late(world: KafkaBroker) -> None:
    network, sink = SocksProxy(), world.sink()
    extra = {**world.settings.extra, "proxy_url": network.url}
    source = KafkaSource(world.settings.model_copy(update={"extra": extra, "request_timeout_seconds": 1}))
    joined(world, source)
    membership = source.poll(0).membership
    sink.commit([], {0: 1}, membership)
    assert source.committed(0) == 1

    network.silence(requests=False)
    source._timeout_ms = 200  # as if most of the time for a request had gone by in an earlier attempt
    with pytest.raises(RetriableError):
        source.committed(0)
    source._timeout_ms = 1000
    network.restore()
    (unheard,) = source._consumer._coordinator._offset_fetch_futures.values()
    until(unheard.succeeded, world.patience_seconds)
    sink.commit([], {0: 2}, membership)
    committed = source.committed(0)
    source.close()
    network.close()

    assert committed == 2


def turns_of_the_client(source: KafkaSource, seconds: float) -> int:
    """Count the rounds of the client's loop in one poll."""
    consumer, count = source._consumer, 0
    poll_once = consumer._poll_once

    def counted(*arguments: object, **named: object) -> object:
        nonlocal count
        count += 1
        return poll_once(*arguments, **named)

    consumer._poll_once = counted
    source.poll(seconds)
    del consumer._poll_once
    return count


def test_a_member_that_brokers_have_not_heard_of_for_long_has_no_membership_until_they_answer(
    world: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    network = SocksProxy()
    changes = {"extra": {**world.settings.extra, "proxy_url": network.url}, "session_timeout_seconds": 1.5}
    source = KafkaSource(world.settings.model_copy(update=changes | {"request_timeout_seconds": 10}))
    joined(world, source)
    assert source.poll(0.1).membership is not None

    network.silence()
    until(lambda: source.poll(0.1).membership is None, world.patience_seconds)
    turns = turns_of_the_client(source, 1.0)
    network.restore()
    network.cut()
    until(lambda: source.poll(0.1).membership is not None, world.patience_seconds)
    source.close()
    network.close()

    assert turns <= 15  # while a heartbeat is unanswered, the client would loop without a pause
    said = [record.getMessage() for record in caplog.records if record.name.startswith("stream_detector")]
    assert [line.split(",")[0].split(" after")[0] for line in said] == [
        "Kafka has not answered for 1.5 s",
        "Kafka answers again",
    ]


def test_closing_ends_though_the_brokers_are_silent(world: KafkaBroker) -> None:
    network = SocksProxy()
    extra = {**world.settings.extra, "proxy_url": network.url}
    source = KafkaSource(world.settings.model_copy(update={"extra": extra, "request_timeout_seconds": 1}))
    joined(world, source)
    source.bounds(0)
    source.topic_id()
    network.silence()

    source.close()
    network.close()

    with pytest.raises(Exception, match="closed"):
        source.poll(0)


def test_a_source_and_a_sink_survive_a_broker_that_is_killed_and_comes_back(world: KafkaBroker) -> None:
    """Connections are cut in the middle of everything, many times; nothing is lost or doubled."""
    values = [b"%d" % number for number in range(60)]
    world.produce(0, values)
    network = SocksProxy()
    extra = {**world.settings.extra, "proxy_url": network.url}
    world.settings = world.settings.model_copy(update={"extra": extra})
    source, sink = world.source(max_poll_records=7), world.sink()
    position, turn = 0, 0
    deadline = time.monotonic() + 2 * world.patience_seconds
    while position < len(values):
        assert time.monotonic() < deadline
        try:
            polled = source.poll(0.2)
            if 0 in polled.assigned:
                source.seek(0, source.committed(0) or 0)
            turn += 1
            if turn % 3 == 0:
                network.cut()
            for chunk in polled.chunks:
                messages = [Message(world.output_topic, b"k", record.value) for record in chunk.records]
                sink.commit(messages, {0: chunk.stop}, polled.membership)
                position = chunk.stop
        except RetriableError:
            sink.reset()
            position = source.committed(0) or 0
            source.seek(0, position)
    network.restore()

    assert world.output() == values
    world.close()
    network.close()


def _answers(call: Callable[[KafkaSource], object], source: KafkaSource) -> bool:
    try:
        call(source)
    except RetriableError:
        return False
    return True


@pytest.mark.parametrize(("later", "is_given_anew"), [(0, False), (1, False), (2, True)])
def test_what_was_held_is_given_anew_after_a_generation_of_the_group_without_this_member(
    later: int, is_given_anew: bool, world: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = world.source()
    held = joined(world, source)
    now = source._consumer.group_metadata()
    assert source.poll(0.1).assigned == frozenset()
    joined_again = now._replace(generation_id=now.generation_id + later)
    monkeypatch.setattr(source._consumer, "group_metadata", lambda: joined_again)

    polled = source.poll(0.1)

    assert held == {0, 1}
    assert polled.revoked == polled.assigned == (held if is_given_anew else frozenset())


def test_a_connection_that_broke_is_no_loss_of_membership_and_loses_nothing(
    world: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.produce(0, [b"a", b"b"])
    source = world.source()
    joined(world, source)
    source.seek(0, 0)

    def broken(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise KafkaConnectionError

    monkeypatch.setattr(source._consumer, "poll", broken)
    polled = source.poll(0.1)
    values: list[bytes | None] = []

    def poll() -> bool:
        values.extend(record.value for chunk in source.poll(0.1).chunks for record in chunk.records)
        return len(values) == 2

    until(poll, world.patience_seconds)
    assert (polled.chunks, polled.revoked, polled.membership is not None) == ((), frozenset(), True)
    assert values == [b"a", b"b"]
