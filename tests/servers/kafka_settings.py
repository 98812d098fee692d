"""What all Kafka nodes of the tests have in common: their settings, and a check whether they answer."""

from __future__ import annotations

import socket
import struct
from pathlib import Path, PurePosixPath

CORRELATION_ID = 7
#: Of Kafka's protocol: length, api key 18 (ApiVersions), version 0, correlation id, no client id. Answered before any login.
API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, CORRELATION_ID, -1)


def broker_settings(port: int, controller_port: int, data: Path | PurePosixPath, host: str = "127.0.0.1") -> dict[str, str]:
    """Return the settings of a node that is both broker and controller, reachable at 127.0.0.1:`port`."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # Only the code under test creates topics, never the broker by itself.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Waits of tens of seconds in production are too long for tests.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "log.cleaner.backoff.ms": "500",
        "log.initial.task.delay.ms": "500",
        "log.retention.check.interval.ms": "1000",
    }


def answers(port: int) -> bool:
    """Return whether a Kafka answers a request at a port now. A listening port is not enough: it may be Docker's."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
            connection.sendall(API_VERSIONS_REQUEST)
            answer = connection.recv(8, socket.MSG_WAITALL)
    except OSError:
        return False
    return answer[4:] == CORRELATION_ID.to_bytes(4, "big")
