"""The sink and its transactional producer on a real Kafka behind a network that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import kafka.errors as kafka_errors
import pytest
from kafka import ConsumerGroupMetadata, TopicPartition

from stream_detector.adapters.kafka.producer import Deadline, TransactionalProducer
from stream_detector.adapters.kafka.sink import KafkaSink
from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.errors import CommitFailedError
from stream_detector.readings import Membership, Message
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.contracts.brokers import KafkaBroker
from tests.integration.topics import until
from tests.servers.socks_proxy import SocksProxy


@pytest.fixture
def world(kafka_brokers: str, unique_name: str) -> Iterator[KafkaBroker]:
    made = KafkaBroker(kafka_brokers, unique_name)
    made.create(1)
    yield made
    made.close()


@pytest.fixture
def network() -> Iterator[SocksProxy]:
    proxy = SocksProxy()
    yield proxy
    proxy.close()


@pytest.fixture
def producer(world: KafkaBroker, network: SocksProxy) -> Iterator[TransactionalProducer]:
    made = TransactionalProducer(through(world, network), f"{world.settings.group_id}-producer")
    yield made
    made.kill()


@pytest.fixture
def source(world: KafkaBroker) -> KafkaSource:
    """A member of the group, with a direct connection."""
    return world.source()


@pytest.fixture
def membership(world: KafkaBroker, source: KafkaSource) -> Membership:
    until(lambda: bool(source.poll(0.1).assigned), world.patience_seconds)
    return source.poll(0).membership


def through(world: KafkaBroker, network: SocksProxy) -> KafkaSettings:
    """Return the world's settings with short time-outs, through the network that may fail."""
    extra = {**world.settings.extra, "proxy_url": network.url}
    changes = {"extra": extra, "request_timeout_seconds": 2, "transaction_timeout_seconds": 2}
    return world.settings.model_copy(update=changes)


def within(seconds: float) -> Deadline:
    return Deadline(time.monotonic() + seconds, "the step")


def event(world: KafkaBroker, value: bytes = b"event") -> Message:
    return Message(world.output_topic, b"sensor", value)


def test_a_transaction_is_not_committed_when_a_batch_was_not_acknowledged(
    world: KafkaBroker, network: SocksProxy, source: KafkaSource, membership: Membership
) -> None:
    sink = KafkaSink(through(world, network))
    sink.commit([event(world, b"before")], {0: 1}, membership)
    network.silence()

    with pytest.raises(CommitFailedError):
        sink.commit([event(world, b"lost")], {0: 2}, membership)
    network.restore()
    sink.reset()
    sink.commit([event(world, b"after")], {0: 3}, membership)
    sink.close()

    assert world.output() == [b"before", b"after"]
    assert source.committed(0) == 3


def test_brokers_that_are_silent_from_the_start_fail_a_transaction_and_not_its_topic(
    world: KafkaBroker, network: SocksProxy, membership: Membership
) -> None:
    sink = KafkaSink(through(world, network))
    network.silence()

    with pytest.raises(CommitFailedError):
        sink.commit([event(world)], {0: 1}, membership)


def test_every_future_is_asked_before_a_commit(
    world: KafkaBroker, network: SocksProxy, producer: TransactionalProducer
) -> None:
    producer.begin()
    delivered = producer.send(event(world))
    producer.await_sent([delivered], within(5))
    network.silence()
    expired = producer.send(event(world))
    until(lambda: expired.is_done, world.patience_seconds)  # the batch expires by the client's own clock

    with pytest.raises(kafka_errors.KafkaError):
        producer.await_sent([delivered, expired], within(5))


def test_waiting_for_records_ends(world: KafkaBroker, network: SocksProxy, producer: TransactionalProducer) -> None:
    producer.begin()
    producer.await_sent([producer.send(event(world))], within(5))
    network.silence()
    future = producer.send(event(world))

    with pytest.raises(kafka_errors.KafkaTimeoutError):
        producer.await_sent([future], within(0.2))


@pytest.mark.parametrize("cut", [False, True])
def test_sending_positions_ends_though_the_coordinator_is_silent(
    world: KafkaBroker, network: SocksProxy, producer: TransactionalProducer, membership: Membership, cut: bool
) -> None:
    producer.begin()
    network.silence()
    if cut:
        network.cut()

    with pytest.raises(kafka_errors.KafkaTimeoutError):
        producer.send_positions({TopicPartition(world.input_topic, 0): 1}, membership, within(0.5))


@pytest.mark.parametrize("cut", [False, True])
def test_committing_ends_though_the_coordinator_is_silent(
    world: KafkaBroker, network: SocksProxy, producer: TransactionalProducer, membership: Membership, cut: bool
) -> None:
    producer.begin()
    producer.await_sent([producer.send(event(world))], within(5))
    producer.send_positions({TopicPartition(world.input_topic, 0): 1}, membership, within(5))
    network.silence()
    if cut:
        network.cut()

    with pytest.raises(kafka_errors.KafkaTimeoutError):
        producer.commit(within(0.5))


def test_a_commit_whose_answer_is_lost_fails_although_it_took_place(
    world: KafkaBroker, network: SocksProxy, source: KafkaSource, membership: Membership
) -> None:
    sink = KafkaSink(through(world, network))
    sink.commit([event(world, b"first")], {0: 1}, membership)
    producer = sink._producer
    assert producer is not None
    commit = producer.commit

    def commit_unheard(deadline: Deadline) -> None:
        network.silence(requests=False)
        commit(deadline)

    producer.commit = commit_unheard  # type: ignore[method-assign]  # the network fails between two steps
    with pytest.raises(CommitFailedError):
        sink.commit([event(world, b"second")], {0: 2}, membership)
    network.restore()
    sink.reset()
    sink.close()

    assert source.committed(0) == 2
    assert world.output() == [b"first", b"second"]


@pytest.mark.parametrize(
    ("generation", "member"), [(-1, ""), (-1, "member"), (0, "")], ids=["nobody", "no generation", "no member id"]
)
def test_a_membership_that_the_broker_would_not_check_is_refused(
    world: KafkaBroker, source: KafkaSource, membership: Membership, generation: int, member: str
) -> None:
    sink = world.sink()
    sink.commit([], {0: 16}, membership)
    group = world.settings.group_id

    with pytest.raises(CommitFailedError, match="not a member of the group"):
        sink.commit([event(world)], {0: 1}, ConsumerGroupMetadata(group, generation, member, None))

    assert source.committed(0) == 16
    assert world.output() == []


def test_a_killed_producer_leaves_no_thread_though_requests_are_open(world: KafkaBroker, network: SocksProxy) -> None:
    before = set(threading.enumerate())
    producer = TransactionalProducer(through(world, network), f"{world.settings.group_id}-killed")
    producer.begin()
    producer.await_sent([producer.send(event(world))], within(5))
    network.silence()
    future = producer.send(event(world))
    started = set(threading.enumerate()) - before - {network.thread}

    producer.kill()
    producer.kill()

    assert started
    assert not any(thread.is_alive() for thread in started)
    assert future.is_done


def test_a_new_producer_ends_the_transaction_that_a_killed_one_left_open(
    world: KafkaBroker, source: KafkaSource, membership: Membership
) -> None:
    transactional_id = f"{world.settings.group_id}-replica"
    left_open = TransactionalProducer(world.settings, transactional_id)
    left_open.begin()
    left_open.await_sent([left_open.send(event(world, b"left open"))], within(5))
    left_open.send_positions({TopicPartition(world.input_topic, 0): 9}, membership, within(5))
    left_open.kill()

    TransactionalProducer(world.settings, transactional_id).kill()

    assert source.committed(0) is None  # answered only because no transaction is still open
    assert world.output() == []


def test_resetting_ends_though_the_brokers_are_silent(world: KafkaBroker, network: SocksProxy) -> None:
    sink = KafkaSink(through(world, network))
    network.silence()

    with pytest.raises(CommitFailedError):
        sink.reset()
    network.restore()
    sink.reset()
    sink.close()


def test_records_without_key_and_value_and_headers_without_content_are_sent(world: KafkaBroker, membership: Membership) -> None:
    sink = world.sink()

    sink.commit([Message(world.output_topic, None, None, (("origin", None), ("reason", b"empty")))], {0: 1}, membership)

    assert world.output() == [b""]


def test_a_hundred_events_and_a_thousand_are_one_transaction_each(
    world: KafkaBroker, source: KafkaSource, membership: Membership
) -> None:
    sink = world.sink()

    sink.commit([event(world, b"%d" % number) for number in range(100)], {0: 1}, membership)
    sink.commit([event(world, b"%d" % number) for number in range(100, 1100)], {0: 2}, membership)

    assert world.output() == [b"%d" % number for number in range(1100)]
    assert source.committed(0) == 2
