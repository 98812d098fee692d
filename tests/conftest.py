"""Fixtures for all tests: real servers, started when a test first asks for one, and names that nothing else uses.

A test that asks for a server gets its marker (`kafka`, `redis`) automatically, so `pytest -m "not kafka"` runs without Kafka.
If a server is missing, its tests are skipped with the reason; with CI set they fail.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests.fast_run import deselect_tests_of_servers, leave_out_slow_tests
from tests.servers.browser import browser_command
from tests.servers.kafka import Kafka, kafka_for_tests, running_kafka
from tests.servers.kafka_cluster import KafkaCluster, running_kafka_cluster
from tests.servers.kafka_secure import SecureKafka, running_secure_kafka
from tests.servers.processes import ServerMissingError
from tests.servers.schema_registry import SchemaRegistry, registry_for_tests, running_registry
from tests.servers.valkey import Valkey, redis_for_tests, running_cluster, running_cluster_url, running_valkey
from tests.servers.valkey_pair import ValkeyPair, running_pair
from tests.sharing import SharedServers, shared_directory

#: Fixtures that live elsewhere: `tiny_model_directory`.
pytest_plugins = ("tests.fixtures_model",)

T = TypeVar("T")

MARKER_OF_FIXTURE = {
    "kafka_brokers": "kafka",
    "own_kafka": "kafka",
    "own_kafka_cluster": "kafka",
    "secure_kafka": "kafka",
    "schema_registry_url": "registry",
    "own_schema_registry": "registry",
    "browser": "browser",
    "redis_url": "redis",
    "redis_cluster_url": "redis",
    "own_valkey": "redis",
    "own_cluster": "redis",
    "own_pair": "redis",
}
#: Files whose tests use these take minutes; those in these folders train models.
SLOW_FIXTURES = {*MARKER_OF_FIXTURE, "tiny_model_directory"}
SLOW_FOLDERS = {"demo", "gate", "integration", "model", "scenarios", "training"}
_SERVERS = pytest.StashKey[SharedServers]()

settings.register_profile("dev", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only tests without servers, processes and TensorFlow; few examples")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SERVERS] = SharedServers()
    if not hasattr(config, "workerinput"):  # of pytest-xdist: the workers inherit the environment
        _cache_compiled_models(config)
        # A broker that lives for seconds starts with half the processor time if Java's second compiler is off.
        os.environ["JDK_JAVA_OPTIONS"] = f"{os.environ.get('JDK_JAVA_OPTIONS', '')} -XX:TieredStopAtLevel=1".strip()
    if config.getoption("fast"):
        settings.load_profile("dev")  # otherwise Hypothesis loads its profile `ci` if CI is set, else `default`


def pytest_collection(session: pytest.Session) -> None:
    if session.config.getoption("fast"):
        leave_out_slow_tests()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of servers, and put slow files first, so that workers finish at about the same time."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKER_OF_FIXTURE:
                item.add_marker(MARKER_OF_FIXTURE[fixture])
    slow_files = {item.path for item in items if SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: item.path not in slow_files and item.path.parent.name not in SLOW_FOLDERS)
    if config.getoption("fast"):
        deselect_tests_of_servers(config, items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Release the shared servers. Not by a fixture, since waiting for other workers would count as the last test's time."""
    session.config.stash[_SERVERS].release()


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> SharedServers:
    """The servers that all workers of the run share."""
    found: SharedServers = request.config.stash[_SERVERS]
    return found


@pytest.fixture(scope="session")
def browser() -> str:
    """The command of a real browser: `tests.servers.browser.shown` opens pages in it."""
    with _skipping_if_missing():
        return browser_command()


@pytest.fixture(scope="session")
def kafka_brokers(servers: SharedServers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """HOST:PORT of a real Kafka, shared by the run: use names of your own (`unique_name`)."""
    with _skipping_if_missing():
        return servers.use(shared_directory(tmp_path_factory), "kafka", kafka_for_tests)


@pytest.fixture(scope="session")
def secure_kafka(servers: SharedServers, tmp_path_factory: pytest.TempPathFactory) -> SecureKafka:
    """A real Kafka with TLS, users and ACLs, shared by the run: grant to names of your own through its administration port."""
    with _skipping_if_missing():
        return servers.use(shared_directory(tmp_path_factory), "secure-kafka", running_secure_kafka)


@pytest.fixture(scope="session")
def schema_registry_url(servers: SharedServers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a real schema registry, shared by the run: use names of your own (`unique_name`)."""
    with _skipping_if_missing():
        return servers.use(shared_directory(tmp_path_factory), "schema-registry", registry_for_tests)


@pytest.fixture
def own_schema_registry(tmp_path: Path) -> Iterator[SchemaRegistry]:
    """A real schema registry for one test, which may kill and restart it; it forgets its schemas then."""
    with _running(running_registry(tmp_path / "registry")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(servers: SharedServers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a real Valkey or Redis, shared by the run: use names of your own (`unique_name`)."""
    with _skipping_if_missing():
        return servers.use(shared_directory(tmp_path_factory), "valkey", redis_for_tests)


@pytest.fixture(scope="session")
def redis_cluster_url(servers: SharedServers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a node of a cluster of three, shared by the run."""
    with _skipping_if_missing():
        return servers.use(shared_directory(tmp_path_factory), "valkey-cluster", running_cluster_url)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A real Kafka for one test, which may kill and restart it. It takes seconds to start: use it in few tests."""
    with _running(running_kafka(tmp_path)) as server:
        yield server


@pytest.fixture
def own_kafka_cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """A real Kafka of three nodes for one test, which may stop nodes. It takes half a minute: use it in very few tests."""
    with _running(running_kafka_cluster(tmp_path / "kafka")) as cluster:
        yield cluster


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test, which may flush, pause, kill and restart it. It keeps every write that it acknowledged."""
    with _running(running_valkey(tmp_path / "valkey", append_only=True)) as server:
        yield server


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[list[Valkey]]:
    """The nodes of a cluster of three for one test, which may kill nodes and move slots."""
    with _running(running_cluster(tmp_path / "cluster")) as nodes:
        yield nodes


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[ValkeyPair]:
    """A primary Valkey and its replica for one test, which may make them fail over."""
    with _running(running_pair(tmp_path / "pair")) as pair:
        yield pair


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> str:
    """A name for topics, groups and keys that no other test and no earlier run has used."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:60].strip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


def _cache_compiled_models(config: pytest.Config) -> None:
    """Let all processes of the run share what XLA compiled: the tiny model's network is compiled in twenty of them."""
    directory = tempfile.mkdtemp(prefix="stream-detector-xla-")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    flags = f"--tf_xla_persistent_cache_directory={directory} --tf_xla_persistent_cache_device_types=CPU"
    os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {flags}".strip()


@contextmanager
def _running(server: AbstractContextManager[T]) -> Iterator[T]:
    with ExitStack() as stack:
        with _skipping_if_missing():
            running = stack.enter_context(server)
        yield running


@contextmanager
def _skipping_if_missing() -> Iterator[None]:
    try:
        yield
    except ServerMissingError as error:
        _skip_or_fail(error)


def _skip_or_fail(error: ServerMissingError) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))
