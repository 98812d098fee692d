"""Rounds in which brokers, or the network between them and the replicas, fail."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.chaos.round import Places, Round, RoundResult, Shape
from tests.integration.worker import Setup
from tests.servers.kafka import Kafka
from tests.servers.kafka_cluster import KafkaCluster
from tests.servers.socks_proxy import SocksProxy

#: Outlasts the restart of a lone broker: one that finds a transaction timed out while it loads may not write the marker of its
#: end (docs/delivery.md).
LONE_BROKER = {"transaction_timeout_seconds": 20, "session_timeout_seconds": 6}
#: Three brokers leave less of a machine to the replicas.
CLUSTER_SHAPE = Shape(replicas=2, partitions=4, sensors=10, seconds_per_second=2.0)
#: A request that was not answered for so long is given up.
NETWORK = {"request_timeout_seconds": 5, "session_timeout_seconds": 3, "transaction_timeout_seconds": 4}


def broker_killed(name: str, places: Places, chance: Random, count: int, kafka: Kafka) -> RoundResult:
    """Kill the lone broker and start it again with its data."""
    with Round(name, replace(places, kafka_changes=LONE_BROKER), Setup("every"), Shape(seconds_per_second=2.0)) as one:

        def inject() -> None:
            time.sleep(chance.uniform(0.0, 1.0))
            kafka.kill()
            time.sleep(chance.uniform(0.0, 2.0))
            kafka.start()

        return one.check(one.strike(count, inject), "kills", "broker killed and started again")


def node_killed(name: str, places: Places, chance: Random, count: int, kafka: KafkaCluster) -> RoundResult:
    """Kill the three nodes one after the other: leaders and coordinators move to the remaining nodes."""
    with Round(name, replace(places, brokers=kafka.brokers, kafka_changes=NETWORK), Setup("every"), CLUSTER_SHAPE) as one:
        turns = itertools.cycle(kafka.nodes)

        def inject() -> None:
            node = next(turns)
            node.kill()
            time.sleep(chance.uniform(2.0, 8.0))
            node.start()

        return one.check(one.strike(count, inject), "kills", "one of three brokers killed and started again")


def network(
    name: str, places: Places, setup: Setup, count: int, fault: tuple[str, Callable[[SocksProxy], None]]
) -> RoundResult:
    """Disturb the network between the replicas and Kafka."""
    proxy = SocksProxy()
    try:
        through = replace(places, kafka_changes=NETWORK | {"extra": {"proxy_url": proxy.url}})
        with Round(name, through, setup) as one:
            return one.check(one.strike(count, lambda: fault[1](proxy)), "faults", fault[0])
    finally:
        proxy.close()


def coordinators_stalled(chance: Random) -> Callable[[SocksProxy], None]:
    """Return a fault: the coordinators of group and transactions do not answer while data flow."""

    def inject(proxy: SocksProxy) -> None:
        proxy.stall_coordinators()
        time.sleep(chance.uniform(1.0, 8.0))
        proxy.restore()

    return inject
