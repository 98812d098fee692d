"""The servers of the tests do what the tests rely on."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
import redis
from kafka.admin import KafkaAdminClient, NewTopic

from tests.servers.kafka import Kafka
from tests.servers.processes import ServerProcess, ServerStartError
from tests.servers.valkey import Valkey


def test_a_server_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    complaint = "import sys; print('port is taken'); sys.exit(3)"
    server = ServerProcess("Example", [sys.executable, "-c", complaint], tmp_path / "log")

    with pytest.raises(ServerStartError, match=r"(?s)Example ended at once.*port is taken"):
        server.start(lambda: False, timeout_seconds=20)

    assert not server.running


def test_a_server_that_never_gets_ready_is_killed(tmp_path: Path) -> None:
    server = ServerProcess("Example", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")

    with pytest.raises(ServerStartError, match="is not ready"):
        server.start(lambda: False, timeout_seconds=0.1)

    assert not server.running


def test_valkey_keeps_what_it_acknowledged_when_killed(own_valkey: Valkey) -> None:
    with contextlib.closing(own_valkey.client()) as client:
        client.set("key", "value")

    own_valkey.kill()
    own_valkey.start()

    with contextlib.closing(own_valkey.client()) as client:
        assert client.get("key") == b"value"


def test_the_cluster_spreads_keys_over_its_nodes(redis_cluster_url: str) -> None:
    with contextlib.closing(redis.RedisCluster.from_url(redis_cluster_url)) as client:
        for number in range(30):
            client.set(f"key-{number}", "value")
        ports = [node.port for node in client.get_primaries()]  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    assert [count_keys(port) > 0 for port in ports] == [True, True, True]


def count_keys(port: int) -> int:
    with contextlib.closing(redis.Redis(port=port)) as client:
        return int(client.dbsize())


def test_the_shared_kafka_takes_topics(kafka_brokers: str, unique_name: str) -> None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=kafka_brokers)) as admin:
        admin.create_topics([NewTopic(unique_name, num_partitions=2, replication_factor=1)])

        assert unique_name in admin.list_topics()


def test_a_killed_kafka_comes_back_with_its_topics(own_kafka: Kafka, unique_name: str) -> None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_kafka.brokers)) as admin:
        admin.create_topics([NewTopic(unique_name, num_partitions=1, replication_factor=1)])

    own_kafka.kill()
    own_kafka.start()

    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_kafka.brokers)) as admin:
        assert unique_name in admin.list_topics()
