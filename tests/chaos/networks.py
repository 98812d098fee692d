"""Blows on a network, whichever server is behind it. Each falls once, and is over when it returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Protocol


class Network(Protocol):
    """What both proxies can do to the connections through them."""

    def cut(self) -> None:
        """Reset all connections."""

    def silence(self, *, requests: bool = True, answers: bool = True) -> None:
        """Let no byte pass, in one direction or both."""

    def slow(self, seconds: float) -> None:
        """Delay every chunk of an answer."""

    def restore(self) -> None:
        """Let everything pass."""


Blow = Callable[[Network], None]


def cut(chance: Random) -> Blow:
    """Return a blow: every connection is reset, a few times."""

    def blow(network: Network) -> None:
        for _ in range(3):
            network.cut()
            time.sleep(chance.uniform(0.0, 0.5))

    return blow


def silent(chance: Random) -> Blow:
    """Return a blow: connections stay open and nothing passes, for longer than a session."""

    def blow(network: Network) -> None:
        network.silence()
        time.sleep(chance.uniform(1.0, 8.0))
        network.restore()

    return blow


def answers_lost(chance: Random) -> Blow:
    """Return a blow: requests arrive, answers do not: what was written is not known to be."""

    def blow(network: Network) -> None:
        network.silence(requests=False)
        time.sleep(chance.uniform(0.2, 5.0))
        network.cut()
        network.restore()

    return blow


def slow(chance: Random) -> Blow:
    """Return a blow: every answer comes late for a while."""

    def blow(network: Network) -> None:
        network.slow(chance.uniform(0.1, 0.4))
        time.sleep(4.0)
        network.restore()

    return blow
