"""The brokers that the contract suites run on: one in memory, and a real Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.brokers import Broker, KafkaBroker, MemoryBroker

PARTITIONS = 2


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest, unique_name: str) -> Iterator[Broker]:
    made: MemoryBroker | KafkaBroker
    if request.param == "memory":
        made = MemoryBroker(f"{unique_name}.input", f"{unique_name}.output")
    else:
        made = KafkaBroker(request.getfixturevalue("kafka_brokers"), unique_name)
    made.create(PARTITIONS)
    yield made
    made.close()
