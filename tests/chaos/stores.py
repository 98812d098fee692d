"""Rounds in which Redis loses its data, is away, is full or slow, while replicas run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from random import Random

from tests.chaos.round import Places, Round, Row
from tests.integration.worker import Setup
from tests.servers.valkey import Valkey

Blow = Callable[[], None]


def flushed(server: Valkey) -> Blow:
    """Return a blow: FLUSHALL."""

    def blow() -> None:
        with closing(server.client()) as client:
            client.flushall()

    return blow


def restarted(server: Valkey, chance: Random) -> Blow:
    """Return a blow: killed, and started again a while later with what it has on disk: all, or nothing."""

    def blow() -> None:
        server.kill()
        time.sleep(chance.uniform(0.0, 3.0))
        server.start()

    return blow


def paused(server: Valkey, chance: Random) -> Blow:
    """Return a blow: connections stay open, nothing answers for a while."""

    def blow() -> None:
        server.pause()
        time.sleep(chance.uniform(1.0, 5.0))
        server.resume()

    return blow


def full(server: Valkey, chance: Random) -> Blow:
    """Return a blow: every write is refused for a while for want of memory."""

    def blow() -> None:
        with closing(server.client()) as client:
            client.config_set("maxmemory", "1mb")
            client.config_set("maxmemory-policy", "noeviction")
            time.sleep(chance.uniform(1.0, 3.0))
            client.config_set("maxmemory", "0")

    return blow


def blows(name: str, places: Places, count: int, setup: Setup, fault: tuple[str, Blow]) -> Row:
    """Let blows fall on the store while replicas run. Sensors are all in memory, so nothing may differ."""
    with Round(name, places, setup) as one:
        return one.check(one.strike(count, fault[1]), "blows", fault[0])
