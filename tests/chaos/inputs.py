"""Rounds in which other programs change the input topic: transactions, new partitions, a trimmed log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from kafka import KafkaProducer, TopicPartition

from tests.chaos.checker import Leniency
from tests.chaos.kills import LIFE_SECONDS, fates
from tests.chaos.round import Places, Round, RoundResult, Shape
from tests.integration.replica_process import Life
from tests.integration.topics import PATIENCE_SECONDS, until
from tests.integration.worker import Setup


class TransactionalFeed:
    """Writes every slice of readings in a transaction of its own; some of them are aborted."""

    def __init__(self, one: Round, chance: Random) -> None:
        settings = one.topics.settings
        self._topic, self._chance = settings.input_topic, chance
        self._producer: Any = KafkaProducer(bootstrap_servers=settings.brokers, transactional_id=f"{one.name}-feed")
        self._producer.init_transactions()

    def produce(self, partition: int, records: Sequence[tuple[str, bytes]]) -> None:
        """Append records, visible or not."""
        self._producer.begin_transaction()
        for sensor, value in records:
            self._producer.send(self._topic, value, sensor.encode(), partition=partition)
        self._producer.flush(timeout=PATIENCE_SECONDS)
        if self._chance.random() < 0.2:
            self._producer.abort_transaction()
        else:
            self._producer.commit_transaction()

    def close(self) -> None:
        """Close the client."""
        self._producer.close(timeout=PATIENCE_SECONDS)


def transactions(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill replicas that read transactional input, whose markers and aborted records are gaps in the log."""
    one = Round(name, places, setup, Shape(partitions=4))
    writer = TransactionalFeed(one, chance)
    one.feed.produce = writer.produce
    with one:
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count)])
        one.feed.stop()
        writer.close()
        return one.check(spent, "kills", "input of transactions, and kill -9")


def more_partitions(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Add partitions under load, while replicas are killed."""
    quick = {"extra": {"metadata_max_age_ms": 300}}
    with Round(name, replace(places, kafka_changes=quick), setup, Shape(partitions=2)) as one:
        for _ in range(count):
            one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, 3)])
            grown = one.feed.partitions + 1
            one.topics.admin.create_partitions({one.topics.settings.input_topic: grown})
            one.topics.await_partitions(grown)
            one.feed.partitions = grown
        return one.check(count, "partitions", "partitions added under load, and kill -9")


def trimmed(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Delete the records before the committed positions while replicas are killed: records to replay may be gone."""
    with Round(name, places, setup) as one:
        for _ in range(count):
            one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, 3)])
            until(lambda: len(one.topics.committed()) == one.shape.partitions)
            one.topics.input()  # what is deleted must have been seen by the check
            positions = {TopicPartition(one.topics.settings.input_topic, p): at for p, at in one.topics.committed().items()}
            one.topics.admin.delete_records({tp: max(0, at - chance.choice((0, 50))) for tp, at in positions.items()})
        return one.check(count, "cuts", "log trimmed up to the committed positions, and kill -9", Leniency(levels=True))
