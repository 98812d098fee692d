"""Asks the brokers whether a user may join a group and write in transactions, without doing either.

Defect: Kafka tells the operations that are allowed on a topic, but on a group only once it exists, and never on a
transactional id; and the client's admin has no request that would show it. Brokers check the right before all else, so these
requests show it and change nothing: the heartbeat of a member that does not exist, and the end of a transaction of a producer
that never was. A cluster without any group yet sets up its internal topics when it is first asked for a coordinator.
Seen in kafka-python 3.0.12, Kafka 4.3.1; no upstream issue found.
"""

# ruff: noqa: SLF001 - the client has no public way to do this

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, for_code
from kafka.protocol.consumer.group import HeartbeatRequest
from kafka.protocol.producer.transaction import EndTxnRequest

#: Number of the coordinator's kind, as the protocol has it.
_GROUP, _TRANSACTION = 0, 1


def group_error(admin: KafkaAdminClient, group: str) -> type[KafkaError]:
    """Return how the coordinator answers the heartbeat of a member that the group does not have. Raises KafkaError."""
    return _ask(admin, group, _GROUP, HeartbeatRequest(group_id=group, generation_id=0, member_id="nobody"))


def transaction_error(admin: KafkaAdminClient, transactional_id: str) -> type[KafkaError]:
    """Return how the coordinator answers the end of a transaction that nobody began. Raises KafkaError."""
    request = EndTxnRequest(transactional_id=transactional_id, producer_id=0, producer_epoch=0, committed=False)
    return _ask(admin, transactional_id, _TRANSACTION, request)


def _ask(admin: KafkaAdminClient, key: str, kind: int, request: Any) -> type[KafkaError]:  # noqa: ANN401 - the client's
    async def ask() -> Any:  # noqa: ANN401 - the client's
        coordinators = await admin._find_coordinator_ids([key], key_type=kind)
        return await admin._manager.send(request, node_id=coordinators[key])

    answer = admin._manager.run(ask)
    found: type[KafkaError] = for_code(answer.error_code)
    return found
