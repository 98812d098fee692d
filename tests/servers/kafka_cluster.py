"""A Kafka of several nodes, each both broker and controller, for tests that stop nodes: topics survive the loss of one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.servers import kafka_java
from tests.servers.kafka import prepare
from tests.servers.processes import ServerMissingError, ServerStartError, free_port

HEAP_MB = 384
USABLE_SECONDS = 90.0
REQUEST_MS = 3000


class ClusterNode:
    """A node that tests may kill, start, pause and resume. `start` and `resume` wait for the cluster."""

    def __init__(self, node_id: int, server: kafka_java.JavaKafka, cluster: KafkaCluster) -> None:
        self.node_id = node_id
        self.server = server
        self.is_up = False
        self._cluster = cluster

    def kill(self) -> None:
        """Kill it. Idempotent."""
        self.server.kill()
        self.is_up = False

    def start(self) -> None:
        """Start it with its existing data; return when all running nodes are ready and in sync."""
        self.server.start()
        self.is_up = True
        self._cluster.await_usable()

    def pause(self) -> None:
        """Stop answering, but keep connections open."""
        self.server.process.pause()
        self.is_up = False

    def resume(self) -> None:
        """Continue after `pause`; return when all running nodes are ready and in sync."""
        self.server.process.resume()
        self.is_up = True
        self._cluster.await_usable()


class KafkaCluster:
    """Nodes that replicate every topic to all nodes, and acknowledge a record when all but one have it."""

    def __init__(self, directory: Path, count: int) -> None:
        ports, controller_ports = [free_port() for _ in range(count)], [free_port() for _ in range(count)]
        controllers = [f"127.0.0.1:{port}" for port in controller_ports]
        voters = [f"{node_id}@{where}:{kafka_java.random_id()}" for node_id, where in enumerate(controllers, start=1)]
        cluster_id = kafka_java.random_id()
        self.brokers = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.nodes = [
            ClusterNode(
                node_id,
                kafka_java.JavaKafka(
                    directory / str(node_id),
                    port,
                    _settings(node_id, port, controller_port, controllers),
                    ["--initial-controllers", ",".join(voters)],
                    cluster_id=cluster_id,
                    heap_mb=HEAP_MB,
                ),
                self,
            )
            for node_id, port, controller_port in zip(range(1, count + 1), ports, controller_ports, strict=True)
        ]

    def start(self) -> None:
        """Start all nodes; return when they are ready. Raises ServerStartError."""
        for node in self.nodes:
            node.server.launch()  # no node answers before a majority runs
        for node in self.nodes:
            node.server.await_answer()
            node.is_up = True
        self.await_usable()

    def stop(self) -> None:
        """Stop all nodes. Idempotent."""
        for node in self.nodes:
            node.kill()

    def await_usable(self) -> None:
        """Wait until every partition has a leader, and every running node has all its data. Raises ServerStartError."""
        deadline = time.monotonic() + USABLE_SECONDS
        up = {node.node_id for node in self.nodes if node.is_up}
        seen: object = None
        while time.monotonic() < deadline:
            try:
                seen = self._not_usable(up)
            except KafkaError as error:
                seen = error
            if not seen:
                return
            time.sleep(0.2)
        msg = f"Kafka's nodes {sorted(up)} cannot be used after {USABLE_SECONDS:g} s: {seen}"
        raise ServerStartError(msg)

    def _not_usable(self, up: set[int]) -> list[Any]:
        """Return the nodes and partitions that are not healthy, as a running node reports them."""
        brokers = [node.server.brokers for node in self.nodes if node.is_up]
        with closing(KafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=REQUEST_MS)) as admin:
            missing = up - {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]}
            topics = admin.describe_topics()
        return [*missing] + [
            (topic["name"], partition["partition_index"], partition["leader_id"], partition["isr_nodes"])
            for topic in topics
            for partition in topic["partitions"]
            if partition["leader_id"] not in up or not up & {*partition["replica_nodes"]} <= {*partition["isr_nodes"]}
        ]


def _settings(node_id: int, port: int, controller_port: int, controllers: list[str]) -> dict[str, str]:
    count = len(controllers)
    replicated = dict.fromkeys(
        [
            "default.replication.factor",
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "share.coordinator.state.topic.replication.factor",
        ],
        str(count),
    )
    acknowledged = dict.fromkeys(
        ["min.insync.replicas", "transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr"], str(count - 1)
    )
    return (
        replicated
        | acknowledged
        | {
            "node.id": str(node_id),
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "controller.quorum.bootstrap.servers": ",".join(controllers),
            "num.recovery.threads.per.data.dir": "1",
        }
    )


@contextmanager
def running_kafka_cluster(directory: Path, nodes: int = 3) -> Iterator[KafkaCluster]:
    """Run a Kafka of several nodes within a `with` block. Raises ServerMissingError or ServerStartError."""
    if prepare() is not kafka_java:
        msg = f"a Kafka of several nodes runs from its jars only, and there is {kafka_java.why_not()}"
        raise ServerMissingError(msg)
    cluster = KafkaCluster(directory, nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
