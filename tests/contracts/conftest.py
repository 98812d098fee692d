"""What the contract suites run on: brokers and stores in memory, a real Kafka, a real Valkey and a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr

from stream_detector.adapters.redis.client import connect
from stream_detector.adapters.redis.store import RedisStore
from stream_detector.ports import StateStore
from stream_detector.settings.schema import RedisSettings
from tests.contracts.brokers import Broker, KafkaBroker, MemoryBroker
from tests.contracts.stores import Backend
from tests.fakes.memory_store import MemoryStore
from tests.servers.processes import free_port

PARTITIONS = 2
BACKENDS = [
    "memory",
    pytest.param("valkey", marks=pytest.mark.redis),
    pytest.param("cluster", marks=pytest.mark.redis),
]


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


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, unique_name: str) -> Iterator[Backend]:
    if request.param == "memory":
        memory = MemoryStore()
        yield Backend(memory, memory.expire)
        return
    is_cluster = request.param == "cluster"
    url: str = request.getfixturevalue("redis_cluster_url" if is_cluster else "redis_url")
    redis_settings = RedisSettings(url=SecretStr(url), cluster=is_cluster)
    with closing(RedisStore(redis_settings, unique_name, "readings")) as store, closing(connect(redis_settings)) as client:

        def lose(partition: int, sensor: str) -> object:
            return client.execute_command("DEL", *store._keys.sensors(partition, [sensor]))

        yield Backend(store, lose)


@pytest.fixture
def store(backend: Backend) -> StateStore:
    return backend.store


@pytest.fixture(params=BACKENDS)
def unavailable_store(request: pytest.FixtureRequest) -> Iterator[StateStore]:
    if request.param == "memory":
        memory = MemoryStore()
        memory.unavailable = True
        yield memory
        return
    url = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    with closing(RedisStore(RedisSettings(url=url, cluster=request.param == "cluster"), "group", "readings")) as store:
        yield store
