"""The reader of alerts on a topic that comes, grows, loses records and is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from stream_detector.adapters.kafka.alerts_reader import LOOKUP_SECONDS, AlertsReader
from stream_detector.errors import RetriableError
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.contracts.brokers import START_MS, KafkaBroker
from tests.integration.topics import until
from tests.servers.socks_proxy import SocksProxy


@pytest.fixture
def world(kafka_brokers: str, unique_name: str) -> Iterator[KafkaBroker]:
    made = KafkaBroker(kafka_brokers, unique_name)
    yield made
    made.close()


def alerts_in_input(world: KafkaBroker) -> KafkaSettings:
    """Return settings whose alerts topic is the world's input topic, which it can produce to, trim and replace."""
    return world.settings.model_copy(update={"alerts_topic": world.input_topic})


class Impatient:
    """A clock by which the partitions are looked up at every poll."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        self._seconds += LOOKUP_SECONDS
        return self._seconds


def test_the_last_alerts_of_all_partitions_come_first_then_those_that_follow(world: KafkaBroker) -> None:
    world.create(3)
    for number in range(30):
        world.produce(number % 3, [b"%d" % number], start_ms=START_MS + 1000 * number)
        if number % 5 == 0:
            world.produce_transaction(number % 3, [b"never"], commit=False)
    with closing(AlertsReader(alerts_in_input(world))) as reader:
        last = reader.last(4)
        world.produce(1, [b"new"], start_ms=START_MS + 60_000)
        following = until_some(lambda: reader.poll(0.2), world)

    assert [record.value for record in last] == [b"26", b"27", b"28", b"29"]
    assert [(record.partition, record.value) for record in following] == [(1, b"new")]


def test_none_of_the_last_alerts_may_be_asked_for(world: KafkaBroker) -> None:
    world.create(1)
    world.produce(0, [b"old"])
    with closing(AlertsReader(alerts_in_input(world))) as reader:
        assert reader.last(0) == []
        assert reader.exists()
        world.produce(0, [b"new"])
        assert [record.value for record in until_some(lambda: reader.poll(0.2), world)] == [b"new"]


def test_a_topic_and_partitions_that_come_later_are_read_from_their_beginnings(world: KafkaBroker) -> None:
    with closing(AlertsReader(alerts_in_input(world), Impatient())) as reader:
        assert reader.last(10) == []
        assert not reader.exists()
        assert reader.poll(0.0) == []

        world.create(1)
        world.produce(0, [b"first"])
        first = until_some(lambda: reader.poll(0.0), world)
        world.add_partitions(2)
        until(lambda: knows_partition(world, 1, b"second"), world.patience_seconds)
        second = until_some(lambda: reader.poll(0.0), world)

    assert [record.value for record in first] == [b"first"]
    assert [(record.partition, record.value) for record in second] == [(1, b"second")]


def test_a_topic_that_was_replaced_is_read_from_its_beginning(world: KafkaBroker) -> None:
    world.create(2)
    world.produce(0, [b"a", b"b", b"c"])
    with closing(AlertsReader(alerts_in_input(world))) as reader:
        assert [record.value for record in reader.last(1)] == [b"c"]
        world.recreate()
        world.produce(0, [b"new"])

        assert [record.value for record in until_some(lambda: reader.poll(0.2), world)] == [b"new"]


@pytest.mark.parametrize("exists", [True, False])
def test_silent_brokers_end_in_an_error_and_are_heard_again(world: KafkaBroker, exists: bool) -> None:
    if exists:
        world.create(1)
    network = SocksProxy()
    extra = {**world.settings.extra, "proxy_url": network.url}
    settings = alerts_in_input(world).model_copy(update={"extra": extra, "request_timeout_seconds": 1})
    with closing(AlertsReader(settings, Impatient())) as reader:
        reader.last(1)
        network.silence()
        with pytest.raises(RetriableError):
            reader.last(1)
        network.restore()
        if not exists:
            world.create(1)
        world.produce(0, [b"after"])
        last = until_some(lambda: last_or_nothing(reader), world)
    network.close()

    assert [record.value for record in last] == [b"after"]


def knows_partition(world: KafkaBroker, partition: int, value: bytes) -> bool:
    """Produce a record, once the producer knows its partition; return whether it does."""
    try:
        world.produce(partition, [value])
    except ValueError:
        return False
    return True


def last_or_nothing(reader: AlertsReader) -> list[Record]:
    try:
        return reader.last(1)
    except RetriableError:
        return []


def until_some(read: Callable[[], list[Any]], world: KafkaBroker) -> list[Any]:
    """Read until there is something."""
    found: list[Any] = []

    def reads() -> bool:
        found.extend(read())
        return bool(found)

    until(reads, world.patience_seconds)
    return found
