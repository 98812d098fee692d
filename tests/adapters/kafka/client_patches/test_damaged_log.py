"""A real Kafka whose log has records that the client cannot read: reading continues, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kafka.record.default_records import DefaultRecordBatch

from stream_detector.adapters.kafka.source import KafkaSource
from stream_detector.adapters.kafka.span_reader import KafkaReader
from tests.contracts.brokers import KafkaBroker, read_all
from tests.integration.topics import until
from tests.servers.kafka import Kafka
from tests.servers.kafka_java import JavaKafka

VALUES = [b"%d" % number for number in range(5)]
BODY = 70  # bytes into a batch


class NotText(str):  # the producer only encodes it
    """A header name that other clients send and this client's producer would not."""

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


@pytest.fixture
def world(kafka_brokers: str, unique_name: str) -> Iterator[KafkaBroker]:
    made = KafkaBroker(kafka_brokers, unique_name)
    made.create(2)
    yield made
    made.close()


@dataclass(slots=True)
class SourceReading:
    """What polls of a source returned of a world's two partitions, read from their beginnings."""

    world: KafkaBroker
    source: KafkaSource
    records: list[tuple[int, int]] = field(default_factory=list)  # partition, offset
    positions: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    lost: int = 0

    def until(self, partition: int, position: int) -> None:
        """Poll until a partition is read up to a position."""
        until(lambda: self._poll()[partition] >= position, self.world.patience_seconds)

    def _poll(self) -> dict[int, int]:
        polled = self.source.poll(0.1)
        for partition in polled.assigned:
            self.source.seek(partition, 0)
        for chunk in polled.chunks:
            assert chunk.start == self.positions[chunk.partition]
            self.positions[chunk.partition] = chunk.stop
            self.records += [(chunk.partition, record.offset) for record in chunk.records]
        self.lost += polled.lost_readings
        return self.positions


def test_a_header_name_that_is_no_text_stops_nobody(world: KafkaBroker) -> None:
    world.produce(0, VALUES)
    world._plain.send(world.input_topic, b"odd", b"k", partition=0, headers=[(NotText("x"), b"v")])
    world.produce(0, VALUES)
    reading = SourceReading(world, world.source())

    reading.until(0, 11)
    with closing(KafkaReader(world.settings, world.input_topic)) as reader:
        again = read_all(reader.read, 0, 0, 11)

    assert reading.records == [(0, offset) for offset in range(11)]
    assert reading.lost == 0
    assert again == [*VALUES, b"odd", *VALUES]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_what_producers_compress_is_read_whichever_way(kafka_brokers: str, unique_name: str, codec: str) -> None:
    world = KafkaBroker(kafka_brokers, unique_name)
    world.create(1, **{"compression.type": codec})
    world.produce(0, VALUES)
    with closing(KafkaReader(world.settings, world.input_topic)) as reader:
        values = read_all(reader.read, 0, 0, len(VALUES))
    world.close()

    assert values == VALUES


def damage(directory: Path, topic: str, offset: int) -> range:
    """Flip a byte of the records in the batch that holds an offset, on the broker's disk; return the batch's offsets."""
    file = directory / "data" / f"{topic}-0" / f"{0:020}.log"
    content = file.read_bytes()
    place = 0
    while (batch := DefaultRecordBatch(content[place:])).next_offset <= offset:
        place += batch.size_in_bytes
    with file.open("r+b") as log:
        log.seek(place + BODY)
        log.write(bytes([content[place + BODY] ^ 0x55]))
    return range(batch.base_offset, batch.next_offset)


def test_a_batch_that_is_damaged_on_the_brokers_disk_costs_its_own_records_only(
    own_kafka: Kafka, tmp_path: Path, unique_name: str
) -> None:
    if not isinstance(own_kafka, JavaKafka):
        pytest.skip("needs a broker whose files can be changed")
    world = KafkaBroker(own_kafka.brokers, unique_name)
    world.create(2)
    for _ in range(4):
        world.produce(0, VALUES)
    damaged = damage(tmp_path, world.input_topic, offset=12)
    reading = SourceReading(world, world.source())

    reading.until(0, damaged.start)
    world.produce(1, VALUES)
    reading.until(1, len(VALUES))
    meanwhile = reading.positions[0]
    reading.until(0, 20)
    with closing(KafkaReader(world.settings, world.input_topic)) as reader:
        again = read_all(reader.read, 0, 0, 20)
    world.close()

    whole = [offset for offset in range(20) if offset not in damaged]
    assert meanwhile == damaged.start
    assert [offset for partition, offset in reading.records if partition == 0] == whole
    assert reading.lost == len(damaged)
    assert again == [(VALUES * 4)[offset] for offset in whole]
