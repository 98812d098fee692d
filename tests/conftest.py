"""Fixtures for all tests: real servers, started once per run when first asked for, and names that nobody else uses.

A test that asks for a server gets its marker (`kafka`, `redis`) by itself, so `pytest -m "not kafka"` runs without one.
Where a server is not to be had its tests are skipped with the reason; with CI set they fail.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from tests.servers.kafka import Kafka, kafka_for_tests, running_kafka
from tests.servers.kafka_cluster import KafkaCluster, running_kafka_cluster
from tests.servers.kafka_secure import SecureKafka, running_secure_kafka
from tests.servers.processes import ServerMissingError
from tests.servers.valkey import Valkey, redis_for_tests, running_cluster, running_valkey
from tests.servers.valkey_pair import ValkeyPair, running_pair

#: Fixtures that live elsewhere: `tiny_model_directory`.
pytest_plugins = ("tests.fixtures_model",)

MARKER_OF_FIXTURE = {
    "kafka_brokers": "kafka",
    "own_kafka": "kafka",
    "own_kafka_cluster": "kafka",
    "secure_kafka": "kafka",
    "redis_url": "redis",
    "redis_cluster_url": "redis",
    "own_valkey": "redis",
    "own_cluster": "redis",
    "own_pair": "redis",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKER_OF_FIXTURE:
                item.add_marker(MARKER_OF_FIXTURE[fixture])


@pytest.fixture(scope="session")
def kafka_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a real Kafka, shared by the run: use names of your own (`unique_name`)."""
    with ExitStack() as stack:
        try:
            brokers = stack.enter_context(kafka_for_tests(tmp_path_factory.mktemp("kafka")))
        except ServerMissingError as error:
            _without(error)
        yield brokers


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A real Kafka for one test, which may kill it and start it again. Takes seconds: for few tests."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_kafka(tmp_path))
        except ServerMissingError as error:
            _without(error)
        yield server


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A real Kafka with TLS, users and ACLs, shared by the run: grant to names of your own by its administration port."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_secure_kafka(tmp_path_factory.mktemp("secure-kafka")))
        except ServerMissingError as error:
            _without(error)
        yield server


@pytest.fixture
def own_kafka_cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """A real Kafka of three nodes for one test, which may take them away. Takes half a minute: for very few tests."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(running_kafka_cluster(tmp_path / "kafka"))
        except ServerMissingError as error:
            _without(error)
        yield cluster


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Valkey or Redis, shared by the run: use names of your own (`unique_name`)."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(redis_for_tests(tmp_path_factory.mktemp("valkey")))
        except ServerMissingError as error:
            _without(error)
        yield url


@pytest.fixture(scope="session")
def redis_cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a node of a cluster of three, shared by the run."""
    with ExitStack() as stack:
        try:
            nodes = stack.enter_context(running_cluster(tmp_path_factory.mktemp("cluster")))
        except ServerMissingError as error:
            _without(error)
        yield nodes[0].url


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test, which may flush, pause, kill and start it. Keeps what it acknowledged."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_valkey(tmp_path / "valkey", append_only=True))
        except ServerMissingError as error:
            _without(error)
        yield server


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[list[Valkey]]:
    """The nodes of a cluster of three for one test, which may kill them and move slots."""
    with ExitStack() as stack:
        try:
            nodes = stack.enter_context(running_cluster(tmp_path / "cluster"))
        except ServerMissingError as error:
            _without(error)
        yield nodes


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[ValkeyPair]:
    """A primary Valkey and its replica for one test, which may have them fail over."""
    with ExitStack() as stack:
        try:
            pair = stack.enter_context(running_pair(tmp_path / "pair"))
        except ServerMissingError as error:
            _without(error)
        yield pair


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> str:
    """A name for topics, groups and keys that no other test and no earlier run has used."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:60].strip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


def _without(error: ServerMissingError) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))
