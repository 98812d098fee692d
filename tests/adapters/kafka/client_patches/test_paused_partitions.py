"""A partition that was paused in the middle of a fetch is read on, after another one was read to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from stream_detector.adapters.kafka.span_reader import KafkaReader
from stream_detector.ports import Source
from tests.contracts.brokers import KafkaBroker
from tests.integration.topics import until

PARKED, DRAINED, SLICE = 3_000, 2_000, 1_000


@pytest.fixture
def world(kafka_brokers: str, unique_name: str) -> Iterator[KafkaBroker]:
    made = KafkaBroker(kafka_brokers, unique_name)
    made.create(2)
    made.produce(0, [b"drained"] * DRAINED)
    made.produce(1, [b"parked"] * PARKED)
    yield made
    made.close()


def test_spans_of_two_partitions_are_read_in_turn(world: KafkaBroker) -> None:
    with closing(KafkaReader(world.settings, world.input_topic)) as reader:
        first = reader.read(1, 0, PARKED, SLICE)
        other = [reader.read(0, start, DRAINED, SLICE).stop for start in range(0, DRAINED, SLICE)]
        rest = reader.read(1, first.stop, PARKED, SLICE)

    assert (first.stop, other[-1]) == (SLICE, DRAINED)
    assert (rest.start, rest.stop) == (SLICE, 2 * SLICE)


def test_two_partitions_that_are_read_in_turn_are_each_there_at_once(
    world: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0
    with closing(KafkaReader(world.settings, world.input_topic)) as reader:
        positions = {partition: reader.read(partition, 0, DRAINED, 10).stop for partition in (0, 1)}
        poll_once = reader._consumer._poll_once

        def counted(*arguments: object, **options: object) -> object:
            nonlocal rounds
            rounds += 1
            return poll_once(*arguments, **options)

        monkeypatch.setattr(reader._consumer, "_poll_once", counted)
        for _ in range(10):
            for partition, start in positions.items():
                positions[partition] = reader.read(partition, start, DRAINED, 10).stop

    assert positions == {0: 110, 1: 110}
    assert rounds == 20


def test_a_partition_is_read_on_after_it_was_held(world: KafkaBroker) -> None:
    source = world.source(max_poll_records=SLICE)
    assigned: set[int] = set()

    def both() -> bool:
        assigned.update(source.poll(0.1).assigned)
        return len(assigned) == 2

    until(both, world.patience_seconds)

    source.seek(1, 0)
    read_on(world, source, 1, SLICE)
    source.pause([1])
    source.seek(0, 0)
    read_on(world, source, 0, DRAINED)
    source.seek(1, SLICE)

    read_on(world, source, 1, PARKED)


def read_on(world: KafkaBroker, source: Source, partition: int, position: int) -> None:
    """Poll until a partition is read up to a position."""
    stops = {0: 0, 1: 0}

    def poll() -> bool:
        stops.update({chunk.partition: chunk.stop for chunk in source.poll(0.1).chunks})
        return stops[partition] >= position

    until(poll, world.patience_seconds)
