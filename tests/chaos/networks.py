"""Network faults, independent of the server behind the network. Each acts once and has ended when it returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Protocol


class Network(Protocol):
    """The operations that both proxies offer on the connections through them."""

    def cut(self) -> None:
        """Reset all connections."""

    def silence(self, *, requests: bool = True, answers: bool = True) -> None:
        """Let no byte pass, in one direction or both."""

    def slow(self, seconds: float) -> None:
        """Delay every chunk of an answer."""

    def restore(self) -> None:
        """Let everything pass."""


Fault = Callable[[Network], None]


def cut(chance: Random) -> Fault:
    """Return a fault: every connection is reset, a few times."""

    def inject(network: Network) -> None:
        for _ in range(3):
            network.cut()
            time.sleep(chance.uniform(0.0, 0.5))

    return inject


def silent(chance: Random) -> Fault:
    """Return a fault: connections stay open but no bytes pass, for longer than the session time-out."""

    def inject(network: Network) -> None:
        network.silence()
        time.sleep(chance.uniform(1.0, 8.0))
        network.restore()

    return inject


def answers_lost(chance: Random) -> Fault:
    """Return a fault: requests arrive but answers do not, so the client does not know what was written."""

    def inject(network: Network) -> None:
        network.silence(requests=False)
        time.sleep(chance.uniform(0.2, 5.0))
        network.cut()
        network.restore()

    return inject


def slow(chance: Random) -> Fault:
    """Return a fault: every answer is delayed for a while."""

    def inject(network: Network) -> None:
        network.slow(chance.uniform(0.1, 0.4))
        time.sleep(4.0)
        network.restore()

    return inject
