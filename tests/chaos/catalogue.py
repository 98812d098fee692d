"""Every fault of the campaign: its name, its count in a full campaign, and the round that injects it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from tests.chaos import brokers, inputs, kills, models, networks, nodes, renamed, silences, stores, unkeyed, unkeyed_nodes
from tests.chaos.campaign_servers import CampaignServers
from tests.chaos.round import RoundResult
from tests.integration.worker import Setup
from tests.servers.socks_proxy import SocksProxy

EVERY, SOME, FEW, EVICTING = Setup("every"), Setup("some"), Setup("few"), Setup("evicting")
SEVERAL = Setup("several")
ASSEMBLED, ASSEMBLED_EVICTING = Setup("assembled"), Setup("assembled-evicting")
SPARKPLUG, SPARKPLUG_EVICTING = Setup("sparkplug"), Setup("sparkplug-evicting")
SPARKPLUG_ASSEMBLED = Setup("sparkplug-assembled")
RULES, RULES_EVICTING = Setup("rules"), Setup("rules-evicting")
IDLE, IDLE_EVICTING = Setup("idle"), Setup("idle-evicting")
OWN, OWN_EVICTING = Setup("own"), Setup("own-evicting")
SILENT, SILENT_EVICTING = Setup("silent"), Setup("silent-evicting")
#: Runs a fault so many times in a round of this name; topics and group are called like it.
Run = Callable[[CampaignServers, str, Random, int], RoundResult]


@dataclass(frozen=True, slots=True)
class Entry:
    """A fault. A round injects at most `at_once` of it, because it holds its events in memory."""

    name: str
    count: int
    run: Run
    at_once: int = 60


def catalogue() -> list[Entry]:
    """Return the campaign. Of its kills 1,000 are `kill -9` at a step."""
    return [*_processes(), *_renamed(), *_silences(), *_models(), *_stores(), *_store_networks(), *_brokers(), *_inputs()]


def _processes() -> list[Entry]:
    return [
        Entry("kills-every", 400, lambda w, name, c, n: kills.kills(name, w.places(), c, n, EVERY)),
        Entry("kills-some", 300, lambda w, name, c, n: kills.kills(name, w.places(), c, n, SOME)),
        Entry("kills-rules", 60, lambda w, name, c, n: kills.kills(name, w.places(), c, n, RULES)),
        Entry("kills-rules-evicting", 40, lambda w, name, c, n: kills.kills(name, w.places(), c, n, RULES_EVICTING)),
        Entry("kills-idle", 60, lambda w, name, c, n: kills.kills(name, w.places(), c, n, IDLE)),
        Entry("kills-idle-evicting", 40, lambda w, name, c, n: kills.kills(name, w.places(), c, n, IDLE_EVICTING)),
        Entry("kills-own", 60, lambda w, name, c, n: kills.kills(name, w.places(), c, n, OWN)),
        Entry("kills-own-evicting", 40, lambda w, name, c, n: kills.kills(name, w.places(), c, n, OWN_EVICTING)),
        Entry("kills-few", 100, lambda w, name, c, n: kills.kills(name, w.places(), c, n, FEW)),
        Entry("kills-evicting", 200, lambda w, name, c, n: kills.kills(name, w.places(), c, n, EVICTING)),
        Entry("assembled", 60, lambda w, name, c, n: kills.assembled(name, w.places(), c, n, ASSEMBLED)),
        Entry("assembled-evicting", 40, lambda w, name, c, n: kills.assembled(name, w.places(), c, n, ASSEMBLED_EVICTING)),
        Entry("assembled-churn", 30, lambda w, name, c, n: kills.assembled_churn(name, w.places(), c, n, ASSEMBLED)),
        Entry("sparkplug", 60, lambda w, name, c, n: nodes.sparkplug(name, w.places(), c, n, SPARKPLUG)),
        Entry("sparkplug-evicting", 40, lambda w, name, c, n: nodes.sparkplug(name, w.places(), c, n, SPARKPLUG_EVICTING)),
        Entry("sparkplug-assembled", 40, lambda w, name, c, n: nodes.sparkplug(name, w.places(), c, n, SPARKPLUG_ASSEMBLED)),
        Entry("sparkplug-churn", 30, lambda w, name, c, n: nodes.sparkplug_churn(name, w.places(), c, n, SPARKPLUG)),
        Entry("several", 60, lambda w, name, c, n: kills.several(name, w.places(), c, n, SEVERAL)),
        Entry("pauses-every", 40, lambda w, name, c, n: kills.pauses(name, w.places(), c, n, EVERY)),
        Entry("pauses-evicting", 20, lambda w, name, c, n: kills.pauses(name, w.places(), c, n, EVICTING)),
        Entry("churn", 60, lambda w, name, c, n: kills.churn(name, w.places(), c, n, EVICTING)),
        Entry("rollout", 12, lambda w, name, c, n: kills.rollout(name, w.places(), c, n, EVERY)),
        Entry("clocks", 30, lambda w, name, c, n: kills.clocks(name, w.places(), c, n, SOME)),
    ]


def _renamed() -> list[Entry]:
    def flushed(w: CampaignServers, name: str, _: Random, n: int) -> RoundResult:
        return renamed.renamed_flushed(name, w.places(), n, stores.flushed(w.valkey))

    def cut(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        return renamed.renamed_cut(name, w.places(), c, n, w.valkey.address)

    return [
        Entry("renamed", 60, lambda w, name, c, n: renamed.renamed(name, w.places(), c, n, ASSEMBLED)),
        Entry("renamed-evicting", 40, lambda w, name, c, n: renamed.renamed(name, w.places(), c, n, ASSEMBLED_EVICTING)),
        Entry("renamed-churn", 30, lambda w, name, c, n: renamed.renamed_churn(name, w.places(), c, n, ASSEMBLED)),
        Entry("renamed-pauses", 20, lambda w, name, c, n: renamed.renamed_pauses(name, w.places(), c, n, ASSEMBLED)),
        Entry("renamed-cut", 10, cut),
        Entry("renamed-flushed", 10, flushed),
    ]


def _silences() -> list[Entry]:
    return [
        Entry("silences", 60, lambda w, name, c, n: silences.silences(name, w.places(), c, n, SILENT)),
        Entry("silences-evicting", 40, lambda w, name, c, n: silences.silences(name, w.places(), c, n, SILENT_EVICTING)),
        Entry("silences-churn", 30, lambda w, name, c, n: silences.comings_and_goings(name, w.places(), c, n, SILENT)),
        Entry("silences-idle", 20, lambda w, name, c, n: silences.idle(name, w.places(), c, n, SILENT)),
    ]


def _models() -> list[Entry]:
    return [
        Entry("model", 50, lambda w, name, c, n: models.model_kills(name, w.places(), c, n, w.model)),
        Entry("rekeying", 40, lambda w, name, c, n: unkeyed.rekeying_kills(name, w.places(), c, n, w.model)),
        Entry("rekeying-nodes", 40, lambda w, name, c, n: unkeyed_nodes.nodes_rekeying_kills(name, w.places(), c, n, w.model)),
    ]


def _stores() -> list[Entry]:
    def lost(w: CampaignServers, name: str, _: Random, n: int) -> RoundResult:
        return kills.lost_with_kills(name, w.places(w.forgetful), n, EVERY, stores.flushed(w.forgetful))

    def flushed(w: CampaignServers, name: str, _: Random, n: int) -> RoundResult:
        return stores.repeat_fault(name, w.places(), n, EVERY, ("Redis: FLUSHALL", stores.flushed(w.valkey)))

    def forgotten(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        fault = stores.restarted(w.forgetful, c)
        return stores.repeat_fault(name, w.places(w.forgetful), n, SOME, ("Redis: restarted without its data", fault))

    def kept(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        return stores.repeat_fault(
            name, w.places(), n, EVERY, ("Redis: killed, back with its data", stores.restarted(w.valkey, c))
        )

    def paused(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        return stores.repeat_fault(name, w.places(), n, SOME, ("Redis: stopped for a while", stores.paused(w.valkey, c)))

    def full(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        return stores.repeat_fault(name, w.places(), n, EVERY, ("Redis: out of memory", stores.full(w.valkey, c)))

    return [
        Entry("redis-flushed", 10, flushed),
        Entry("redis-forgotten", 8, forgotten),
        Entry("redis-killed", 8, kept),
        Entry("redis-paused", 8, paused),
        Entry("redis-full", 8, full),
        Entry("redis-lost", 8, lost),
    ]


def _store_networks() -> list[Entry]:
    def repeat_fault(description: str, make_fault: Callable[[Random], stores.NetworkFault]) -> Run:
        return lambda w, name, c, n: stores.through_proxy(name, w.places(), w.valkey.address, n, (description, make_fault(c)))

    def failover(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        fault = "Redis: failover to a lagging replica", stores.lagging_failover(w.pair, c)
        return stores.through_proxy(name, w.places(w.pair.primary), w.pair.primary.address, n, fault)

    def cluster(w: CampaignServers, name: str, c: Random, n: int) -> RoundResult:
        places = replace(w.places(w.valkey_cluster[0]), redis_cluster=True)
        return stores.cluster(name, places, c, n, w.valkey_cluster)

    return [
        Entry("redis-cut", 10, repeat_fault("connections to Redis reset", networks.cut)),
        Entry("redis-silent", 8, repeat_fault("connections to Redis half-open", networks.silent)),
        Entry("redis-deaf", 8, repeat_fault("answers of Redis lost", networks.answers_lost)),
        Entry("redis-slow", 5, repeat_fault("answers of Redis late", networks.slow)),
        Entry("redis-failover", 6, failover),
        Entry("redis-cluster", 40, cluster),
    ]


def _brokers() -> list[Entry]:
    def repeat_fault(description: str, make_fault: Callable[[Random], Callable[[SocksProxy], None]], setup: Setup) -> Run:
        return lambda w, name, c, n: brokers.network(name, w.places(), setup, n, (description, make_fault(c)))

    return [
        Entry("broker-killed", 5, lambda w, name, c, n: brokers.broker_killed(name, w.places(), c, n, w.kafka)),
        Entry("node-killed", 6, lambda w, name, c, n: brokers.node_killed(name, w.places(), c, n, w.kafka_cluster)),
        Entry("network-cut", 10, repeat_fault("connections to Kafka reset", networks.cut, SOME)),
        Entry("network-silent", 8, repeat_fault("connections to Kafka half-open", networks.silent, EVERY)),
        Entry("network-deaf", 10, repeat_fault("answers of Kafka lost", networks.answers_lost, EVERY)),
        Entry("network-slow", 5, repeat_fault("answers of Kafka late", networks.slow, SOME)),
        Entry("coordinators", 8, repeat_fault("coordinators unreachable, data flow", brokers.coordinators_stalled, EVERY)),
    ]


def _inputs() -> list[Entry]:
    return [
        Entry("transactions", 40, lambda w, name, c, n: inputs.transactions(name, w.places(), c, n, EVERY)),
        Entry("partitions", 6, lambda w, name, c, n: inputs.more_partitions(name, w.places(), c, n, EVERY)),
        Entry("trimmed", 8, lambda w, name, c, n: inputs.trimmed(name, w.places(), c, n, EVERY)),
    ]
