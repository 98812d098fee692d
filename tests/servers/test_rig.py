"""The test servers do what the tests rely on."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from tests.integration.topics import PATIENCE_SECONDS, until
from tests.servers.kafka import Kafka
from tests.servers.kafka_cluster import KafkaCluster
from tests.servers.processes import ServerProcess, ServerStartError
from tests.servers.valkey import Valkey
from tests.servers.valkey_pair import ValkeyPair
from tests.servers.valkey_slots import move_slot, owner_of, slot_of


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


def test_a_valkey_without_memory_refuses_writes_until_it_is_freed(own_valkey: Valkey) -> None:
    with contextlib.closing(own_valkey.client()) as client:
        client.set("key", "before")
        own_valkey.fill_memory()
        with pytest.raises(redis.OutOfMemoryError):
            client.set("key", "refused")
        assert client.get("key") == b"before"
        own_valkey.free_memory()
        assert client.set("key", "after")


def test_a_failover_loses_what_the_replica_had_not_seen_and_can_be_repeated(own_pair: ValkeyPair) -> None:
    for turn in range(2):
        old = own_pair.primary
        with contextlib.closing(old.client()) as client:
            client.set(f"seen-{turn}", "value")
            own_pair.freeze_replica()
            client.set(f"unseen-{turn}", "value")

        assert own_pair.fail_over() == own_pair.primary.address != old.address

        with contextlib.closing(own_pair.primary.client()) as client:
            assert client.exists(f"seen-{turn}") == 1
            assert client.exists(f"unseen-{turn}") == 0
    with contextlib.closing(own_pair.primary.client()) as client:
        assert sorted(client.keys()) == [b"seen-0", b"seen-1"]


def test_a_slot_moves_while_clients_write_to_it(own_cluster: list[Valkey]) -> None:
    tag, stop = "{partition}", threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with contextlib.closing(redis.RedisCluster.from_url(own_cluster[0].url)) as client:
            while not stop.is_set():
                client.set(f"{tag}:{written}", written)
                written += 1

    writing = threading.Thread(target=write)
    writing.start()
    until(lambda: written > 100)
    slot = slot_of(own_cluster, tag.encode())
    targets = [node for node in own_cluster if node is not owner_of(own_cluster, slot)]
    moved = [move_slot(own_cluster, slot, target) for target in targets]
    stop.set()
    writing.join(PATIENCE_SECONDS)

    assert moved[0] > 100
    assert moved[1] >= moved[0]
    with contextlib.closing(targets[1].client()) as client:
        assert {int(client.get(key) or -1) for key in client.scan_iter()} == set(range(written))


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
        admin.create_topics([NewTopic(unique_name, num_partitions=2, replication_factor=1)], wait_for_metadata=True)

        assert unique_name in admin.list_topics()


def test_a_killed_kafka_comes_back_with_its_topics(own_kafka: Kafka, unique_name: str) -> None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_kafka.brokers)) as admin:
        admin.create_topics([NewTopic(unique_name, num_partitions=1, replication_factor=1)], wait_for_metadata=True)

    own_kafka.kill()
    own_kafka.start()

    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_kafka.brokers)) as admin:
        assert unique_name in admin.list_topics()


def test_a_kafka_of_three_nodes_takes_records_while_one_is_away(own_kafka_cluster: KafkaCluster, unique_name: str) -> None:
    first, second, _ = own_kafka_cluster.nodes
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=own_kafka_cluster.brokers)) as admin:
        admin.create_topics([NewTopic(unique_name, num_partitions=3, replication_factor=-1)], wait_for_metadata=True)

    first.kill()
    own_kafka_cluster.await_usable()
    produce(own_kafka_cluster.brokers, unique_name, b"a")
    first.start()
    second.kill()
    own_kafka_cluster.await_usable()
    produce(own_kafka_cluster.brokers, unique_name, b"b")

    with contextlib.closing(KafkaConsumer(bootstrap_servers=own_kafka_cluster.brokers)) as consumer:
        partitions = [TopicPartition(unique_name, number) for number in range(3)]
        assert list(consumer.end_offsets(partitions).values()) == [2, 2, 2]


def produce(brokers: str, topic: str, value: bytes) -> None:
    """Write a record to each of three partitions."""
    with contextlib.closing(KafkaProducer(bootstrap_servers=brokers, acks="all")) as producer:
        for sent in [producer.send(topic, value, partition=number) for number in range(3)]:
            sent.get(timeout=PATIENCE_SECONDS)
