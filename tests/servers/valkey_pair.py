"""A primary Valkey and its replica for tests of failovers: the replica lags, the primary dies, the replica replaces it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import ServerStartError
from tests.servers.valkey import Valkey

FOLLOW_SECONDS = 20.0
#: A replica gets its copy at once, and from memory.
OPTIONS = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")


class ValkeyPair:
    """Two servers. Clients use `primary`, best through a TcpProxy that is redirected after a failover."""

    def __init__(self, directory: Path) -> None:
        self.primary = Valkey(directory / "first", options=OPTIONS)
        self.replica = Valkey(directory / "second", options=OPTIONS)
        self._is_frozen = False

    def start(self) -> None:
        """Start both; return when the replica follows."""
        self.primary.start()
        self._start_replica()

    def stop(self) -> None:
        """Stop both. Idempotent."""
        for server in (self.primary, self.replica):
            server.stop()

    def freeze_replica(self) -> None:
        """Freeze the replica at the primary's present state: it lags from here on, as on a slow connection."""
        with contextlib.closing(self.primary.client()) as client:
            acknowledged = client.wait(1, int(1000 * FOLLOW_SECONDS))
        if acknowledged != 1:
            msg = f"the replica does not follow within {FOLLOW_SECONDS:g} s"
            raise ServerStartError(msg)
        with contextlib.closing(self.replica.client()) as client:
            client.replicaof("NO", "ONE")
        self._is_frozen = True

    def fail_over(self) -> tuple[str, int]:
        """Kill the primary and promote the replica, with the data that it has; return the address of the new primary.

        The old primary comes back, empty, as the replica, so this can be done again.
        """
        self.primary.kill()
        if not self._is_frozen:
            with contextlib.closing(self.replica.client()) as client:
                client.replicaof("NO", "ONE")
        self._is_frozen = False
        self.primary, self.replica = self.replica, self.primary
        self._start_replica()
        return self.primary.address

    def _start_replica(self) -> None:
        self.replica.start()
        with contextlib.closing(self.replica.client()) as client:
            client.replicaof("127.0.0.1", str(self.primary.port))
            deadline = time.monotonic() + FOLLOW_SECONDS
            while client.info("replication")["master_link_status"] != "up":
                if time.monotonic() > deadline:
                    msg = f"the replica does not follow within {FOLLOW_SECONDS:g} s"
                    raise ServerStartError(msg)
                time.sleep(0.05)


@contextmanager
def running_pair(directory: Path) -> Iterator[ValkeyPair]:
    """Run a primary and its replica within a `with` block. Raises ServerMissingError or ServerStartError."""
    pair = ValkeyPair(directory)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()
