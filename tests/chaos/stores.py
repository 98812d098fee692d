"""Rounds in which Redis loses its data, is unreachable, full or slow while replicas run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from random import Random

from tests.chaos.kills import LIFE_SECONDS, fates
from tests.chaos.round import Places, Round, RoundResult
from tests.integration.replica_process import Life
from tests.integration.worker import Setup
from tests.servers.tcp_proxy import Address, TcpProxy
from tests.servers.valkey import Valkey
from tests.servers.valkey_pair import ValkeyPair
from tests.servers.valkey_slots import move_slot, owner_of, slot_of

Fault = Callable[[], None]
NetworkFault = Callable[[TcpProxy], None]
RESHARD_SECONDS = 2.0


def flushed(server: Valkey) -> Fault:
    """Return a fault: FLUSHALL."""

    def inject() -> None:
        with closing(server.client()) as client:
            client.flushall()

    return inject


def restarted(server: Valkey, chance: Random) -> Fault:
    """Return a fault: a kill, and later a restart with the data on disk: all of them or none."""

    def inject() -> None:
        server.kill()
        time.sleep(chance.uniform(0.0, 3.0))
        server.start()

    return inject


def paused(server: Valkey, chance: Random) -> Fault:
    """Return a fault: connections stay open, but the server does not answer for a while."""

    def inject() -> None:
        server.pause()
        time.sleep(chance.uniform(1.0, 5.0))
        server.resume()

    return inject


def full(server: Valkey, chance: Random) -> Fault:
    """Return a fault: the server is out of memory and rejects every write for a while."""

    def inject() -> None:
        server.fill_memory()
        time.sleep(chance.uniform(1.0, 3.0))
        server.free_memory()

    return inject


def repeat_fault(name: str, places: Places, count: int, setup: Setup, fault: tuple[str, Fault]) -> RoundResult:
    """Inject faults into the store while replicas run. All sensors are in memory, so no event may differ."""
    with Round(name, places, setup) as one:
        return one.check(one.strike(count, fault[1]), "faults", fault[0])


def through_proxy(name: str, places: Places, address: Address, count: int, fault: tuple[str, NetworkFault]) -> RoundResult:
    """Disturb the network between the replicas and Redis."""
    proxy = TcpProxy(address)
    try:
        through = replace(places, redis_url=f"redis://127.0.0.1:{proxy.port}/0")
        return repeat_fault(name, through, count, Setup("every"), (fault[0], lambda: fault[1](proxy)))
    finally:
        proxy.close()


def lagging_failover(pair: ValkeyPair, chance: Random) -> NetworkFault:
    """Return a fault: the replica falls behind, the primary dies, and the replica takes its place."""

    def inject(proxy: TcpProxy) -> None:
        pair.freeze_replica()
        time.sleep(chance.uniform(0.5, 2.0))
        proxy.redirect(pair.fail_over())

    return inject


class Resharding:
    """Moves the slots of the partitions, one after the other and at intervals, to other nodes of a cluster in use."""

    def __init__(self, nodes: Sequence[Valkey], group: str, topic: str, partitions: int) -> None:
        self._nodes, self._tag, self._partitions = nodes, f"{group}/{topic}", partitions
        self._due = time.monotonic() + RESHARD_SECONDS
        self.moved_slots = 0

    def __call__(self) -> None:
        """Move a slot if one is due."""
        if time.monotonic() < self._due:
            return
        key = f"sd:{{{self._tag}:{self.moved_slots % self._partitions}}}:meta".encode()
        slot = slot_of(self._nodes, key)
        owner = owner_of(self._nodes, slot)
        move_slot(self._nodes, slot, next(node for node in self._nodes if node is not owner))
        self.moved_slots += 1
        self._due = time.monotonic() + RESHARD_SECONDS


def cluster(name: str, places: Places, chance: Random, count: int, nodes: Sequence[Valkey]) -> RoundResult:
    """Kill replicas whose state is in a cluster of three nodes while slots move."""
    setup = Setup("some")
    with Round(name, places, setup) as one:
        settings = one.topics.settings
        resharding = Resharding(nodes, settings.group_id, settings.input_topic, one.shape.partitions)
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count)], resharding)
        return one.check(spent, f"kills, {resharding.moved_slots} slots moved", "Redis Cluster: slots move, and kill -9")
