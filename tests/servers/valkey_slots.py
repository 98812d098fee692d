"""Move slots of a Valkey cluster between nodes while clients work, as an operator's resharding does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing

import redis

from tests.servers.valkey import Valkey, cluster_command

KEYS_AT_A_TIME = 10
MIGRATE_MS = 5000


def slot_of(nodes: Sequence[Valkey], key: bytes) -> int:
    """Return the slot of a key."""
    with closing(nodes[0].client()) as client:
        return int(cluster_command(client, "KEYSLOT", key))


def owner_of(nodes: Sequence[Valkey], slot: int) -> Valkey:
    """Return the node that serves a slot, as the first node sees it."""
    with closing(nodes[0].client()) as client:
        for first, last, (_, port, *_), *_ in cluster_command(client, "SLOTS"):
            if first <= slot <= last:
                return next(node for node in nodes if node.port == port)
    msg = f"nobody serves slot {slot}"
    raise LookupError(msg)


def move_slot(nodes: Sequence[Valkey], slot: int, target: Valkey) -> int:
    """Move a slot with all its keys to a node, a few keys at a time; return how many were moved.

    Meanwhile the slot's keys lie on two nodes, and clients are sent from one to the other, or told to try again.
    """
    source = owner_of(nodes, slot)
    with ExitStack() as stack:
        clients = {node.port: stack.enter_context(closing(node.client())) for node in nodes}
        old, new = clients[source.port], clients[target.port]
        old_id, new_id = (cluster_command(client, "MYID") for client in (old, new))
        cluster_command(new, "SETSLOT", slot, "IMPORTING", old_id)
        cluster_command(old, "SETSLOT", slot, "MIGRATING", new_id)
        moved = _move_keys(old, target, slot)
        for client in (new, old, *clients.values()):
            cluster_command(client, "SETSLOT", slot, "NODE", new_id)
    return moved


def _move_keys(source: redis.Redis, target: Valkey, slot: int) -> int:
    moved = 0
    while keys := cluster_command(source, "GETKEYSINSLOT", slot, KEYS_AT_A_TIME):
        source.migrate("127.0.0.1", target.port, keys, 0, MIGRATE_MS)
        moved += len(keys)
    return moved
